import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesNothing, refused } from './errors.testing.ts';
import type { GuestName } from './guests.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages, testPackages } from './setup/packages.ts';

interface Device {
  readonly id: string;
  readonly serial: string;
  readonly driver: string;
  readonly state: string;
  readonly evidence: 'live';
  readonly guest: { readonly byId?: string; readonly pci?: string; readonly ccw?: string };
}

interface Machine {
  readonly guest: GuestName;
  readonly machine: string;
  readonly driver: string;
  /** The address that the guest has in its sysfs, of the disk in `$disk`. */
  readonly ownAddress: string;
  readonly address: 'pci' | 'ccw';
}

const lastComponent = 'd=$(readlink -f /sys/block/$disk/device/..); echo ${d##*/}';
const machines: readonly Machine[] = [
  {
    guest: 's390x',
    machine: 's390-ccw-virtio',
    driver: 'virtio-blk-ccw',
    ownAddress: lastComponent,
    address: 'ccw',
  },
  { guest: 'arm64', machine: 'virt', driver: 'virtio-blk', ownAddress: lastComponent, address: 'pci' },
];

beforeAll(() => ensurePackages([...qemuPackages, ...testPackages]), 600_000);

describe.each(machines)('a $guest guest', ({ guest, machine, driver, ownAddress, address }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await lab.adopt('vm1', guest);
  }, 600_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  test(`${driver} is plugged without saying what it is to be, read and written by the guest, and leaves`, async (context) => {
    const image = lab.image('disk.img');
    writeFileSync(image, 'written on the host', { flag: 'r+' });
    const device = await lab.ok<Device>('attach', 'vm1', image, '--timeout', '60s');
    expect(device).toMatchObject({ driver, state: 'attached', evidence: 'live' });
    const [disk] = await lab.disks('vm1');
    expect(disk).toMatchObject({ serial: device.serial, size: 16 * 1024 * 1024, path: device.guest.byId });
    const inGuest = await lab.guest(
      'vm1',
      `disk=${disk?.name}; ${ownAddress}; head -c 19 /dev/$disk; printf 'written in the guest' | dd of=/dev/$disk bs=512 seek=8 conv=sync,fsync 2>/dev/null`,
    );
    expect(inGuest.stdout.toString()).toBe(`${device.guest[address]}\nwritten on the host`);

    const gone = await lab.ok<Device>('detach', 'vm1', device.id, '--timeout', '60s');
    expect(gone.state).toBe('released');
    expect(await lab.disks('vm1')).toEqual([]);
    expect(readFileSync(image).subarray(4096, 4116).toString()).toBe('written in the guest');
    const { sandboxes } = await lab.ok<{ sandboxes: { name: string; version: string }[] }>('sandbox', 'ls');
    const qemu = sandboxes[0]?.version ?? '';
    const where = address === 'ccw' ? 'device number, serial' : 'PCI address, serial';
    seen(
      context,
      { kind: driver, way: 'hot-plug', machine, qemu, evidence: device.evidence, address: where },
      { kind: driver, way: 'unplug', machine, qemu },
    );
  });
});

describe('a microvm', () => {
  test('refuses every plug with the reason, before anything is sent', async (context) => {
    await using lab = new Lab();
    await lab.adopt('vm1', 'microvm');
    const image = lab.image('disk.img');
    const error = await changesNothing(lab, ['vm1'], () =>
      refused(lab, 'bus-not-hotpluggable', 'attach', 'vm1', image),
    );
    expect(error).toMatchObject({ reason: expect.stringContaining('virtio-mmio') });
    seen(context, {
      kind: 'virtio-blk',
      way: 'hot-plug',
      machine: 'microvm',
      qemu: '',
      refused: String(error['reason']),
    });
  });
});
