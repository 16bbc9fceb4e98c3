import { afterAll, beforeAll, expect, test } from 'vitest';
import { backEndDies, chardevs } from './back-ends/lost.testing.ts';
import { qemuVersion, serveController, writtenThrough, type Device } from './back-ends/served.testing.ts';
import { changesNothing } from './errors.testing.ts';
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

test('a controller with a disk of an iSCSI target: it is read and written, and its back end ends when the guest has let go', async (context) => {
  await using controller = await serveController(lab, 'scsi');
  await changesNothing(lab, ['vm1'], async () => {
    const device = await lab.ok<Device>('attach', 'vm1', ...controller.attach);
    // QEMU before 9 ends when it is asked what the driver of such a device has set.
    const evidence = qemu.startsWith('7.') ? 'enumerated' : 'live';
    expect(device).toMatchObject({ kind: 'vhost-user-scsi', state: 'attached', evidence });
    await controller.use('vm1', device);
    const found = { kind: 'vhost-user-scsi', machine: 'q35', qemu, evidence, address: 'PCI path' } as const;
    seen(context, { ...found, way: 'hot-plug' });

    expect(await lab.ok<Device>('detach', 'vm1', device.id)).toMatchObject({ state: 'released' });
    await controller.backEnd.ended;
    seen(context, { ...found, way: 'unplug' });
    expect(await lab.disks('vm1')).toEqual([]);
    expect(await chardevs(lab, 'vm1')).toEqual([]);
  });
});

test('the back end dies: that is said, a guest that has nothing to write back lets go, and another one can be attached', async () => {
  await changesNothing(lab, ['vm1'], async () => {
    await using controller = await serveController(lab, 'dying');
    await backEndDies(lab, 'vm1', writtenThrough(lab, controller));
    await using heir = await serveController(lab, 'dying');
    const device = await lab.ok<Device>('attach', 'vm1', ...heir.attach);
    await heir.use('vm1', device);
    await lab.ok('detach', 'vm1', device.id);
  });
});
