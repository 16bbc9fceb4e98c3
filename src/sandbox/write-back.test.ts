import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bus, PciPlace } from '../api/place.ts';
import { BlockDevice } from '../devices/managed/block-device.ts';
import { driveOf, infoOf } from '../devices/managed/device.testing.ts';
import { SimulatedMachine } from '../hypervisors/simulated/index.ts';
import { BootReceiver } from './boot-receiver.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-back-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A VM with one port, to which `path` leads. */
function portAt(path: readonly string[]): BootReceiver {
  const place: PciPlace = { transport: 'pci', bus: 'port0', slot: 0, path, unplug: 'acpi' };
  const port: Bus = {
    name: 'port0',
    transport: 'pci',
    kind: 'pcie-root-port',
    places: [place],
    capacity: 1,
    taken: new Map(),
  };
  return new BootReceiver({ name: 'vm1', facts: new SimulatedMachine().facts, buses: [port] });
}

test.each([
  ['a path of slots is the one of the place', ['1d', '00'], '1d/00'],
  ['a function of a slot cannot be said in a path of slots, which stays empty', ['02.1', '00'], ''],
])('%s', async (_, path, expected) => {
  const file = join(directory, 'sda');
  writeFileSync(file, Buffer.alloc(1 << 20));
  const device = new BlockDevice(
    infoOf({
      ID: '0'.repeat(16),
      DevType: 'b',
      HostPath: file,
      ContainerPath: '/dev/sda',
      ColdPlug: true,
      DriverOptions: { 'block-driver': 'virtio-blk' },
    }),
  );
  await device.attach(portAt(path));
  expect(driveOf(device)?.PCIPath.toString()).toBe(expected);
  expect(device.getAttachCount()).toBe(1n);
});
