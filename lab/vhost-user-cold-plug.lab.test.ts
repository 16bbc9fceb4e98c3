import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { backEndOfDies, chardevs } from './back-ends/lost.testing.ts';
import {
  addressOf,
  inGuest,
  qemuVersion,
  serveDisk,
  serveEveryKind,
  type Device,
  type Served,
} from './back-ends/served.testing.ts';
import { qemuFlags, runWith } from './cold-plug.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => void (await ensurePackages(qemuPackages)));
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

/** The source and flags of attach as one argument of `--cold-plug`. */
function coldPlug({ attach: [source, flag, value] }: Served): string[] {
  const named = flag === undefined ? {} : { [flag.replace('--', '')]: value };
  return ['--cold-plug', JSON.stringify({ source, ...named })];
}

test.for([
  ['q35', '7.2'],
  ['pc', '7.2'],
  ['q35', '10'],
] as const)(
  '%s, QEMU %s: a guest that starts with every kind uses them, and lets go of them as of hot-plugged ones',
  { timeout: 400_000 },
  async ([machine, version], context) => {
    await using served = await serveEveryKind(lab);
    const flags = ['--machine', machine, '--timeout', '5m', ...(await qemuFlags(version))];
    await lab.run('vm1', ...flags, ...served.kinds.flatMap(coldPlug));
    const qemu = await qemuVersion(lab, 'vm1');
    const { devices } = await lab.ok<{ devices: (Device & { source: string })[] }>('ls', 'vm1');
    expect(devices).toHaveLength(served.kinds.length);
    for (const each of served.kinds) {
      const device = devices.find(({ source }) => source === each.attach[0]);
      if (device === undefined) throw new Error(`${each.attach[0]} is not there`);
      expect(device).toMatchObject({ state: 'attached', guest: { pci: expect.any(String) } });
      await each.use('vm1', device);
      expect(await lab.ok('inspect', device.id)).toMatchObject({ observed: { backend: 'connected' } });
      const gone = await lab.ok('detach', 'vm1', device.id, '--timeout', '60s');
      expect(gone).toMatchObject({ state: 'released' });

      const { kind, evidence } = device;
      const fact = { kind, machine, qemu, evidence, address: addressOf[kind] ?? '' };
      seen(context, { ...fact, way: 'cold-plug' }, { ...fact, way: 'unplug' });
    }
    expect(await chardevs(lab, 'vm1')).toEqual([]);
    await inGuest(lab, 'vm1', 'true');
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  },
);

test.each(['7.2', '10'] as const)(
  'QEMU %s: the back end of a disk that was there from the start dies: that is said, it leaves, and another one can be attached',
  async (version) => {
    await using disk = await serveDisk(lab, 'disk');
    const flags = ['--timeout', '2m', ...(await qemuFlags(version))];
    const { devices } = await runWith(lab, 'vm1', [disk.attach[0]], ...flags);
    const [device] = devices;
    if (device === undefined) throw new Error('one device');
    await backEndOfDies(lab, 'vm1', disk, device);
    await using heir = await serveDisk(lab, 'disk');
    await heir.use('vm1', await lab.ok<Device>('attach', 'vm1', ...heir.attach, '--timeout', '60s'));
  },
);
