import { afterAll, beforeAll, expect, test } from 'vitest';
import { backEndDies, chardevs } from './back-ends/lost.testing.ts';
import { inGuest, qemuVersion, serveFolder, type Device } from './back-ends/served.testing.ts';
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

const found = { kind: 'vhost-user-fs', machine: 'q35', evidence: 'live', address: 'tag' } as const;

test('a folder of virtiofsd: files are read and written both ways; virtiofsd ends when the guest has let go', async (context) => {
  await using folder = await serveFolder(lab, 'data');
  await changesNothing(lab, ['vm1'], async () => {
    const device = await lab.ok<Device>('attach', 'vm1', ...folder.attach);
    expect(device).toMatchObject({ kind: 'vhost-user-fs', state: 'attached', evidence: 'live' });
    expect(device.guest).toMatchObject({ tag: 'data' });
    await folder.use('vm1', device);
    seen(context, { ...found, way: 'hot-plug', qemu });

    expect(await lab.ok<Device>('detach', 'vm1', device.id)).toMatchObject({ state: 'released' });
    await folder.backEnd.ended;
    expect(await inGuest(lab, 'vm1', 'ls /sys/bus/virtio/drivers/virtiofs')).not.toContain('virtio');
    expect(await chardevs(lab, 'vm1')).toEqual([]);
    seen(context, { ...found, way: 'unplug', qemu });
  });
});

test('virtiofsd dies while its folder is mounted: that is said, the device leaves, and the folder can be served again', async () => {
  await changesNothing(lab, ['vm1'], async () => {
    await using folder = await serveFolder(lab, 'dying');
    const mounted = {
      ...folder,
      async use(vm: string, device: Device) {
        await folder.use(vm, device);
        await inGuest(lab, vm, 'mount -t virtiofs dying /mnt/dying');
      },
    };
    await backEndDies(lab, 'vm1', mounted);
    await inGuest(lab, 'vm1', 'umount -l /mnt/dying');

    await using heir = await serveFolder(lab, 'dying');
    const device = await lab.ok<Device>('attach', 'vm1', ...heir.attach);
    await heir.use('vm1', device);
    await lab.ok('detach', 'vm1', device.id);
  });
});
