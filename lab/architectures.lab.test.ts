import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Evidence } from '../src/api/evidence.ts';
import { changesNothing, refused } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages, testPackages } from './setup/packages.ts';

interface Device {
  readonly id: string;
  readonly serial: string;
  readonly driver: string;
  readonly state: string;
  readonly evidence: Evidence;
  readonly guest: { readonly byId?: string; readonly pci?: string; readonly ccw?: string };
}

interface Machine {
  readonly machine: string;
  readonly driver: string;
  readonly address: 'pci' | 'ccw';
  readonly words: string;
}

const machines: readonly Machine[] = [
  { machine: 's390-ccw-virtio', driver: 'virtio-blk-ccw', address: 'ccw', words: 'device number' },
  { machine: 'virt', driver: 'virtio-blk', address: 'pci', words: 'PCI path' },
];
const bytes = 16 * 1024 * 1024;

beforeAll(() => ensurePackages([...qemuPackages, ...testPackages]), 600_000);

describe.each(machines)('a guest on $machine', ({ machine, driver, address, words }) => {
  let lab: Lab;
  let qemu: string;
  let atBoot: string;
  beforeAll(async () => {
    lab = new Lab();
    atBoot = image('at-boot.img');
    await lab.run('vm1', '--machine', machine, '--cold-plug', atBoot);
    const { sandboxes } = await lab.ok<{ sandboxes: { version: string }[] }>('sandbox', 'ls');
    qemu = sandboxes[0]?.version ?? '';
  }, 600_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  function image(name: string): string {
    const path = lab.image(name, bytes);
    writeFileSync(path, `of ${name}`, { flag: 'r+' });
    return path;
  }

  /** The guest finds the disk where vmplug says it is, with its bytes; writes; and lets go of it. */
  async function isThereAndLeaves(device: Device, path: string): Promise<void> {
    expect(device).toMatchObject({ driver, state: 'attached', evidence: 'live' });
    const disk = (await lab.disks('vm1')).find(({ serial }) => serial === device.serial);
    expect(disk).toMatchObject({ size: bytes, path: device.guest.byId });
    const words = readFileSync(path, 'utf8').replaceAll('\0', '');
    const { stdout } = await lab.guest(
      'vm1',
      `disk=${disk?.name}
      d=$(readlink -f /sys/block/$disk/device/..); echo \${d##*/}
      head -c ${words.length} /dev/$disk
      printf 'written in the guest' | dd of=/dev/$disk bs=512 seek=8 conv=sync,fsync 2>/dev/null`,
    );
    expect(stdout.toString()).toBe(`${device.guest[address]}\n${words}`);
    expect(await lab.ok('detach', 'vm1', device.id, '--timeout', '60s')).toMatchObject({ state: 'released' });
    expect((await lab.disks('vm1')).map(({ serial }) => serial)).not.toContain(device.serial);
    expect(readFileSync(path).subarray(4096, 4116).toString()).toBe('written in the guest');
  }

  const fact = { kind: driver, machine };
  const finds = { evidence: 'live', address: `${words}, serial` } as const;

  test(`has ${driver} from the start, and lets go of it`, async (context) => {
    const { devices } = await lab.ok<{ devices: Device[] }>('ls', 'vm1');
    const device = devices.find(({ driver: itsDriver }) => itsDriver === driver);
    expect(device).toBeDefined();
    if (device !== undefined) await isThereAndLeaves(device, atBoot);
    seen(context, { ...fact, ...finds, way: 'cold-plug', qemu }, { ...fact, way: 'unplug', qemu });
  });

  test(`takes ${driver} while it runs, without being told what a disk is here, and lets go of it`, async (context) => {
    const path = image('plugged.img');
    await isThereAndLeaves(await lab.ok<Device>('attach', 'vm1', path, '--timeout', '60s'), path);
    seen(context, { ...fact, ...finds, way: 'hot-plug', qemu }, { ...fact, way: 'unplug', qemu });
  });
});

test('a microvm refuses every plug with the reason, before anything is sent', async (context) => {
  await using lab = new Lab();
  await lab.adopt('vm1', 'microvm');
  const { sandboxes } = await lab.ok<{ sandboxes: { version: string }[] }>('sandbox', 'ls');
  const qemu = sandboxes[0]?.version ?? '';
  const { reason } = await changesNothing(lab, ['vm1'], () =>
    refused(lab, 'bus-not-hotpluggable', 'attach', 'vm1', lab.image('disk.img')),
  );
  expect(reason).toContain('virtio-mmio');
  seen(context, {
    kind: 'virtio-blk',
    way: 'hot-plug',
    machine: 'microvm',
    qemu,
    refused: 'its virtio-mmio buses take no device while the VM runs',
  });
});
