import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { writeAt0 } from './devices-disks.testing.ts';
import { tellVmm } from './errors.testing.ts';
import { Lab } from './harness.ts';
import type { Disk } from './hot-plug.testing.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';
import { run } from './two-vms.testing.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  await lab.adopt('vm1', 'q35');
}, 600_000);
afterEach(async () => {
  for (const { id } of (await lab.ok<{ devices: Disk[] }>('ls', 'vm1')).devices)
    await lab.ok('detach', 'vm1', id, '--timeout', '60s');
});
afterAll(() => lab[Symbol.asyncDispose]());

const size = 16 * 1024 * 1024;

/** The first bytes of a disk as the guest reads them. */
async function firstBytes(path: string, count: number): Promise<string> {
  const { stdout } = await lab.guest('vm1', `dd if=${path} bs=512 count=1 2>/dev/null | head -c ${count}`);
  return stdout.toString('latin1');
}

test('the guest gets the disk in a qcow2 image and not the bytes of the image, which QEMU would silently give', async () => {
  const [raw, image] = [lab.image('plain.img'), lab.path('disk.qcow2')];
  writeAt0(raw, 'in the disk');
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', raw, image);
  const disk = await lab.ok<Disk & { format: string }>('attach', 'vm1', image, '--timeout', '60s');
  expect(disk.format).toBe('qcow2');
  expect(await lab.disks('vm1')).toMatchObject([{ serial: disk.serial, size }]);
  expect(await firstBytes(disk.guest.byId, 11)).toBe('in the disk');
  await lab.ok('detach', 'vm1', disk.id, '--timeout', '60s');

  const asRaw = { driver: 'raw', 'node-name': 'as-raw', file: { driver: 'file', filename: image } };
  const close = { 'node-name': 'as-raw' };
  const replies = await tellVmm(lab.sandbox('vm1').socket, ['blockdev-add', asRaw], ['blockdev-del', close]);
  expect(replies).toEqual([{}, {}]);
});

test('a guest that writes the header of a qcow2 image into its raw disk gets its raw disk again', async () => {
  const image = lab.image('written.img');
  const attach = (): Promise<Disk> => lab.ok<Disk>('attach', 'vm1', image, '--timeout', '60s');
  const first = await attach();
  expect(await lab.disks('vm1')).toMatchObject([{ path: first.guest.byId }]);
  const write = await lab.guest(
    'vm1',
    `printf 'QFI\\373\\0\\0\\0\\3' | dd of=${first.guest.byId} bs=512 conv=sync,fsync`,
  );
  expect(write.exitCode).toBe(0);
  await lab.ok('detach', 'vm1', first.id, '--timeout', '60s');

  const again = await attach();
  expect(readFileSync(image).toString('latin1', 0, 4)).toBe('QFI\xfb');
  expect(again).toMatchObject({ format: 'raw', evidence: 'live' });
  expect(await lab.disks('vm1')).toMatchObject([{ serial: again.serial, size }]);
  expect(await firstBytes(again.guest.byId, 8)).toBe('QFI\xfb\0\0\0\x03');
});
