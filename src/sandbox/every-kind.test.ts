import { expect, test } from 'vitest';
import type { Device } from '../api/device.ts';
import { bootArguments } from '../hypervisors/qemu/boot-arguments.ts';
import { everyBus, SimulatedMachine } from '../hypervisors/simulated/index.ts';
import { Bench, TestStore } from '../operations/bench.testing.ts';
import { BootReceiver } from './boot-receiver.ts';
import { EveryKind } from './every-kind.testing.ts';
import { SandboxReceiver } from './sandbox-receiver.ts';

function hasLeft(devices: readonly Device[]): boolean {
  return devices.every((device) => device.getAttachCount() === 0n);
}

test('a running VM receives every kind, says where it is, and lets go of all that can leave', async () => {
  using stores = new TestStore();
  await using kinds = await EveryKind.open(false);
  const bench = new Bench(stores.store, { buses: everyBus() });
  const receiver = new SandboxReceiver({
    store: stores.store,
    sandbox: bench.sandbox,
    use: (work) => work(bench.context),
    trees: kinds.trees,
  });
  const devices = kinds.all();
  for (const device of devices) await device.attach(receiver);
  // Two functions of the group, and its bridge is not among them.
  expect(bench.machine.devices).toHaveLength(devices.length + 1);
  expect(bench.attachments().map(({ driver }) => driver)).toEqual([
    'virtio-blk',
    'virtio-scsi',
    'virtio-blk-ccw',
    'nvdimm',
    'vfio-pci',
    'vhost-user-blk-pci',
    'vhost-user-scsi-pci',
    'virtio-net-pci',
    'vhost-user-fs-pci',
  ]);
  bench.expectSettled();
  const leaving = devices.filter((device) =>
    bench.attachments().some(({ id, kind }) => id === device.deviceID() && kind !== 'pmem'),
  );
  for (const device of leaving.toReversed()) await device.detach(receiver);
  expect(hasLeft(leaving)).toBe(true);
  expect(bench.attachments().map(({ kind }) => kind)).toEqual(['pmem']);
});

test('W06, W07, W15, W33: a VM that has not started gets boot parameters for every kind, a group with all its members', async () => {
  await using kinds = await EveryKind.open(true);
  const machine = new SimulatedMachine({ buses: everyBus() });
  const boot = new BootReceiver({
    name: 'vm1',
    facts: machine.facts,
    buses: machine.buses(),
    trees: kinds.trees,
  });
  const devices = kinds.all();
  for (const device of devices) await device.attach(boot);
  const models = bootArguments(boot.plans).flatMap(
    (argument) => /"driver":"([a-z-]+)"/.exec(argument)?.[1] ?? [],
  );
  for (const model of ['virtio-blk-pci', 'scsi-hd', 'virtio-blk-ccw', 'nvdimm', 'vhost-user-blk-pci']) {
    expect(models).toContain(model);
  }
  for (const model of ['vhost-user-scsi-pci', 'virtio-net-pci', 'vhost-user-fs-pci'])
    expect(models).toContain(model);
  expect(models.filter((model) => model === 'vfio-pci')).toHaveLength(2);
});
