import { afterAll, beforeAll, expect, test } from 'vitest';
import { qemuVersion, serveDisk, type Device } from './back-ends/served.testing.ts';
import { backEndDies, chardevs } from './back-ends/lost.testing.ts';
import { changesNothing, refused } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
let qemu: string;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  await lab.run('vm1', '--shared-memory', '--ports', '2');
  qemu = await qemuVersion(lab, 'vm1');
});
afterAll(() => lab[Symbol.asyncDispose]());

const found = { kind: 'vhost-user-blk', machine: 'q35', evidence: 'live', address: 'PCI path' } as const;

test('a disk of the storage daemon: the guest reads what the host wrote, and the host what the guest wrote', async (context) => {
  await using disk = await serveDisk(lab, 'disk');
  await changesNothing(lab, ['vm1'], async () => {
    const device = await lab.ok<Device>('attach', 'vm1', ...disk.attach);
    expect(device).toMatchObject({ kind: 'vhost-user-blk', state: 'attached', evidence: 'live' });
    // Every disk of the storage daemon says the same serial: it is found by its place.
    expect(device.guest).toEqual({ pciPath: expect.any(String), pci: expect.any(String) });
    await disk.use('vm1', device);
    seen(context, { ...found, way: 'hot-plug', qemu });

    const again = await refused(lab, 'already-attached', 'attach', 'vm1', ...disk.attach);
    expect(again.facts).toMatchObject({ device: device.id });

    expect(await lab.ok<Device>('detach', 'vm1', device.id)).toMatchObject({ state: 'released' });
    seen(context, { ...found, way: 'unplug', qemu });
    expect(await lab.disks('vm1')).toEqual([]);
    expect(await chardevs(lab, 'vm1')).toEqual([]);

    const next = await lab.ok<Device>('attach', 'vm1', ...disk.attach);
    await disk.use('vm1', next);
    await lab.ok('detach', 'vm1', next.id);
  });
});

test('the storage daemon dies: that is said, the disk leaves, and another one on the same socket can be attached', async () => {
  await changesNothing(lab, ['vm1'], async () => {
    await using disk = await serveDisk(lab, 'dying');
    await backEndDies(lab, 'vm1', disk);
    await using heir = await serveDisk(lab, 'dying');
    const device = await lab.ok<Device>('attach', 'vm1', ...heir.attach);
    await heir.use('vm1', device);
    await lab.ok('detach', 'vm1', device.id);
  });
});
