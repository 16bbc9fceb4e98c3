import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { vmmHas } from './errors.testing.ts';
import { Lab } from './harness.ts';
import {
  expectVersion,
  ownAddress,
  pathOf,
  useBothWays,
  x86Machines,
  type Disk,
} from './hot-plug.testing.ts';
import { seen } from './seen.ts';

describe.each(x86Machines)('a foreign VM, $guest', (on) => {
  let lab: Lab;
  let qemu: string;
  beforeAll(async () => {
    lab = new Lab();
    await lab.adopt('vm1', on.guest, on.args);
    qemu = await expectVersion(lab, on);
  });
  afterEach(async () => {
    for (const { id } of (await lab.ok<{ devices: Disk[] }>('ls', 'vm1')).devices)
      await lab.ok('detach', 'vm1', id, '--timeout', '60s');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.for(['virtio-blk', 'virtio-scsi'])(
    'a %s disk is where vmplug says, is used from both sides, and leaves',
    async (driver, context) => {
      const before = await vmmHas(lab.sandbox('vm1').socket);
      const image = lab.image(`${driver}.img`);
      const disk = await lab.ok<Disk>('attach', 'vm1', image, '--driver', driver, '--timeout', '60s');
      expect(disk).toMatchObject({ driver, state: 'attached', evidence: 'live' });
      expect(await lab.disks('vm1')).toEqual([
        expect.objectContaining({ serial: disk.serial, size: 16 * 1024 * 1024, path: disk.guest.byId }),
      ]);
      const own = await ownAddress(lab, disk.serial);
      expect(disk.guest.pci).toBe(own.functions.at(-1));
      if (driver === 'virtio-blk') {
        expect(disk.place.bus).toMatch(on.bus);
        expect(disk.guest.pciPath).toBe(pathOf(own.functions));
      } else {
        expect(disk.guest.scsi).toBe(own.scsi?.replace(/^\d+:/, ''));
      }
      const check = await useBothWays(lab, image, disk);

      const gone = await lab.ok<Disk>('detach', 'vm1', disk.id, '--timeout', '60s');
      expect(gone.state).toBe('released');
      check();
      expect(await lab.disks('vm1')).toEqual([]);
      expect(await vmmHas(lab.sandbox('vm1').socket)).toEqual(before);
      const address = driver === 'virtio-blk' ? 'PCI path, serial' : 'SCSI address, serial';
      seen(
        context,
        { kind: driver, way: 'hot-plug', machine: on.machine, qemu, evidence: disk.evidence, address },
        { kind: driver, way: 'unplug', machine: on.machine, qemu },
      );
    },
  );
});
