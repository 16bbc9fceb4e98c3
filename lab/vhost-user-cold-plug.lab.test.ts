import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { chardevs } from './back-ends/lost.testing.ts';
import {
  addressOf,
  inGuest,
  qemuVersion,
  serveEveryKind,
  type Device,
  type Served,
} from './back-ends/served.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';
import { ensureQemu10 } from './setup/qemu10.ts';

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
    const program = version === '10' ? ['--qemu', (await ensureQemu10()).wrapper] : [];
    const flags = ['--machine', machine, '--timeout', '5m', ...program];
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
