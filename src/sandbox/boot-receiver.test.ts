import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlockDevice } from '../devices/managed/block-device.ts';
import { infoOf, TestHost } from '../devices/managed/device.testing.ts';
import { VFIODevice } from '../devices/managed/vfio-device.ts';
import { qcow2Image } from '../host/host.testing.ts';
import { everyBus, SimulatedMachine } from '../hypervisors/simulated/index.ts';
import { errorOf } from '../operations/bench.testing.ts';
import { BootReceiver } from './boot-receiver.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-boot-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function receiver(buses = everyBus()): BootReceiver {
  const machine = new SimulatedMachine({ buses });
  return new BootReceiver({ name: 'vm1', facts: machine.facts, buses: machine.buses() });
}

let made = 0;
function disk(driver: string, name = 'sda'): BlockDevice {
  writeFileSync(join(directory, name), Buffer.alloc(1 << 20));
  made += 1;
  return new BlockDevice(
    infoOf({
      ID: made.toString(16).padStart(16, '0'),
      DevType: 'b',
      HostPath: join(directory, name),
      ContainerPath: `/dev/${name}`,
      ColdPlug: true,
      DriverOptions: { 'block-driver': driver },
    }),
  );
}

test.each([
  ['virtio-blk', 'virtio-blk-pci'],
  ['virtio-scsi', 'scsi-hd'],
  ['virtio-blk-ccw', 'virtio-blk-ccw'],
])('W15: a cold-plugged %s disk is in the boot configuration, with its place', async (driver, model) => {
  const boot = receiver();
  const device = disk(driver);
  await device.attach(boot);
  expect(boot.plans).toHaveLength(1);
  expect(boot.plans[0]?.steps.at(-1)?.run).toMatchObject({
    execute: 'device_add',
    arguments: { driver: model },
  });
  expect(device.getAttachCount()).toBe(1n);
});

test('places are given out once, and there is an end to them', async () => {
  const boot = receiver(everyBus().slice(0, 2));
  await disk('virtio-blk', 'a').attach(boot);
  await disk('virtio-blk', 'b').attach(boot);
  expect(new Set(boot.attachments.map(({ place }) => place.bus)).size).toBe(2);
  const third = disk('virtio-blk', 'c');
  expect(await errorOf(third.attach(boot))).toMatchObject({ code: 'no-free-place' });
  expect(third.getAttachCount()).toBe(0n);
  expect(boot.attachments).toHaveLength(2);
});

test('one image is not booted with twice', async () => {
  const boot = receiver();
  await disk('virtio-blk').attach(boot);
  expect(await errorOf(disk('virtio-scsi').attach(boot))).toMatchObject({ code: 'already-attached' });
});

test('hard rule 10: an image is not booted with beside the one that it is the base of', async () => {
  const boot = receiver();
  await disk('virtio-blk', 'base').attach(boot);
  const overlay = disk('virtio-blk', 'overlay.qcow2');
  writeFileSync(join(directory, 'overlay.qcow2'), qcow2Image({ backing: 'base', backingFormat: 'raw' }));
  expect(await errorOf(overlay.attach(boot))).toMatchObject({ code: 'already-attached' });
  expect(boot.attachments).toHaveLength(1);
});

test('before the VM starts nothing is hot-plugged', async () => {
  const boot = receiver();
  const device = disk('virtio-blk');
  expect(await errorOf(boot.hotplugAddDevice(device))).toMatchObject({ code: 'unsupported' });
});

test('a group whose functions this host does not have adds nothing', async () => {
  const boot = receiver();
  const host = new TestHost();
  const device = new VFIODevice(
    infoOf({ ID: 'f'.repeat(16), HostPath: '/dev/vfio/99999', ColdPlug: true }),
    host,
  );
  await errorOf(device.attach(boot));
  expect(boot.plans).toEqual([]);
  expect(device.getAttachCount()).toBe(0n);
});
