import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { DiskOptions } from '../src/api/attachment.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';
import { nodesOf, TrapVm, versions } from './traps.testing.ts';
import { run } from './two-vms.testing.ts';

beforeAll(() => ensurePackages(qemuPackages), 600_000);

/** What `blockdev-add` is to make of each cache mode: `[direct, no-flush]`. */
const caches = {
  none: [true, false],
  writeback: [false, false],
  writethrough: [false, false],
  directsync: [true, false],
  unsafe: [false, true],
} as const;

const modes = Object.keys(caches) as (keyof typeof caches)[];
const combinations: readonly DiskOptions[] = [
  {},
  ...modes.flatMap((cache) => [{ cache }, { cache, aio: 'io_uring', discard: 'ignore' } as const]),
  ...(['none', 'directsync'] as const).map((cache) => ({ cache, aio: 'native', discard: 'unmap' }) as const),
  { aio: 'threads', discard: 'unmap' },
];

describe.each(versions)('on QEMU $qemu', ({ at }) => {
  test.each(['virtio-blk', 'virtio-scsi'] as const)(
    'options of a disk travel with their types, which QEMU 10.0 insists on: every combination for %s',
    async (driver) => {
      await using vm = await TrapVm.start(`pc${at}`, ['-S', '-device', 'virtio-scsi-pci,id=hba']);
      for (const [index, disk] of combinations.entries()) {
        const image = vm.lab.image(`${index}.${index % 2 === 0 ? 'img' : 'qcow2'}`);
        if (index % 2 === 1) run('qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M');
        // A file system of this host may know no O_DIRECT, and its kernel no io_uring: QEMU then says so.
        const { plan } = await vm.attach(image, { driver, disk });
        const [direct, noFlush] = caches[disk.cache ?? 'writeback'];
        const node = (await nodesOf(vm)).find((each) => each['node-name'] === plan.vmmId);
        expect(node, JSON.stringify(disk)).toMatchObject({
          cache: { direct, 'no-flush': noFlush },
          ro: false,
        });
        const path = `/machine/peripheral/${plan.vmmId}`;
        if (disk.cache === undefined) continue;
        const writes = disk.cache === 'writethrough' || disk.cache === 'directsync' ? 'off' : 'on';
        expect(await vm.tell('qom-get', { path, property: 'write-cache' })).toBe(writes);
      }
      for (const more of [{ readOnly: true }, { shareRw: true }]) {
        const { plan } = await vm.attach(vm.lab.image(`${JSON.stringify(more)}.img`), { driver, ...more });
        const node = (await nodesOf(vm)).find((each) => each['node-name'] === plan.vmmId);
        expect(node).toMatchObject({ ro: more.readOnly ?? false });
        const path = `/machine/peripheral/${plan.vmmId}`;
        expect(await vm.tell('qom-get', { path, property: 'share-rw' })).toBe(more.shareRw ?? false);
      }
    },
  );

  test.each([
    ['raw', 'the device'],
    ['qcow2', 'the block node'],
  ])(
    'a %s image that a device of the same VM has already: refused at %s, and nothing stays',
    async (format) => {
      await using vm = await TrapVm.start(`pc${at}`, ['-S', '-device', 'virtio-scsi-pci,id=hba']);
      const image = vm.lab.image(`a.${format}`);
      if (format === 'qcow2') run('qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M');
      const node = { driver: format, 'node-name': 'theirs', file: { driver: 'file', filename: image } };
      expect(await vm.tell('blockdev-add', node)).toEqual({});
      const plug = { driver: 'scsi-hd', id: 'theirs', drive: 'theirs', bus: 'hba.0', 'scsi-id': 7 };
      expect(await vm.tell('device_add', plug)).toEqual({});
      for (const more of [{}, { readOnly: true }]) {
        for (const driver of ['virtio-blk', 'virtio-scsi'] as const) {
          expect(await vm.refused(image, { driver, ...more })).toMatchObject({ code: 'source-locked' });
        }
      }
      expect(await vm.tell('device_add', { ...plug, id: 'second', 'scsi-id': 8 })).toMatch(
        /Permission conflict/,
      );
    },
  );

  test('a raw image that is no whole number of sectors is shown rounded up, and vmplug says that size', async () => {
    await using vm = await TrapVm.start(`pc${at}`);
    const image = vm.lab.path('odd.img');
    writeFileSync(image, 'x'.repeat(1000));
    const { plan, host } = await vm.attach(image);
    expect(host).toMatchObject({ virtualSize: 1024 });
    const node = (await nodesOf(vm)).find((each) => each['node-name'] === plan.vmmId);
    expect(node).toMatchObject({ image: { 'virtual-size': 1024 } });
  });
});
