import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runProgram } from './guest/run-program.ts';
import { Lab } from './harness.ts';

interface Device {
  id: string;
  serial: string;
  state: string;
  evidence: string;
  guest: { byId: string; pci: string };
  timeline: Record<string, number>;
}

describe.each(['q35', 'pc'])('disks in a guest on %s', (machine) => {
  let lab: Lab;

  beforeAll(async () => {
    lab = new Lab();
    await lab.run('vm1', '--machine', machine);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test.each([
    ['raw', 'virtio-blk'],
    ['raw', 'virtio-scsi'],
    ['qcow2', 'virtio-blk'],
    ['qcow2', 'virtio-scsi'],
  ])('a %s image as %s is seen by the guest, written by it, and comes back', async (format, driver) => {
    const path = lab.image(`${format}-${driver}.${format}`);
    if (format === 'qcow2') await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', path, '16M']);

    const device = await lab.ok<Device>('attach', 'vm1', path, '--driver', driver);
    expect(device).toMatchObject({ state: 'attached', evidence: 'live' });
    const seen = await lab.disks('vm1');
    expect(seen).toEqual([
      {
        name: expect.stringMatching(/^[vs]da$/),
        size: 16 * 1024 * 1024,
        serial: device.serial,
        path: device.guest.byId,
        readOnly: false,
      },
    ]);

    const write = await lab.guest(
      'vm1',
      `printf 'written in the guest by ${device.id}' | dd of=${device.guest.byId} bs=512 seek=2048 conv=sync && sync`,
    );
    expect(write.exitCode).toBe(0);
    const gone = await lab.ok<Device>('detach', 'vm1', device.id);
    expect(gone.state).toBe('released');
    expect(await lab.disks('vm1')).toEqual([]);

    const raw = format === 'raw' ? path : `${path}.raw`;
    if (format === 'qcow2') await runProgram('qemu-img', ['convert', '-O', 'raw', path, raw]);
    const bytes = readFileSync(raw).subarray(1024 * 1024, 1024 * 1024 + 512);
    expect(bytes.toString('utf8')).toContain(`written in the guest by ${device.id}`);
  });

  test('a read-only disk cannot be written by the guest', async () => {
    const path = lab.image('read-only.img');
    for (const driver of ['virtio-blk', 'virtio-scsi']) {
      const device = await lab.ok<Device>('attach', 'vm1', path, '--read-only', '--driver', driver);
      expect((await lab.disks('vm1'))[0]).toMatchObject({ serial: device.serial, readOnly: true });
      await lab.ok('detach', 'vm1', device.id);
    }
  });

  test('paths with commas, spaces, quotes, newlines and unicode are passed on unharmed', async () => {
    const path = lab.image('a, b=c "d" \'e\'\n,file=elsewhere ü 盘.img');
    const device = await lab.ok<Device>('attach', 'vm1', path);
    expect((await lab.disks('vm1')).map(({ serial }) => serial)).toEqual([device.serial]);
    await lab.ok('detach', 'vm1', path);
  });
});
