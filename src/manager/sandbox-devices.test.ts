import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BlockDriver } from '../api/device-type.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, errorOf, TestStore } from '../operations/bench.testing.ts';
import { releaseAll, settleSandbox } from '../operations/settle.ts';
import { SystemDeviceHost } from '../host/device-host.ts';
import { MockDeviceReceiver } from '../api/mock-device-receiver.ts';
import { infoOf, memberOf, TestHost } from '../devices/managed/device.testing.ts';
import { printKeptDocument } from '../store/v1/kept-document.ts';
import { emptyV1State } from './v1/empty-state.ts';
import { SandboxDevices, type SandboxDevicesOptions } from './sandbox-devices.ts';

let stores: TestStore;
let directory: string;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  directory = mkdtempSync(join(tmpdir(), 'vmplug-devices-'));
  bench = new Bench(stores.store, { buses: everyBus() });
});
afterEach(() => {
  stores[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** A host whose block nodes are the image files of this test. */
class ImageHost extends SystemDeviceHost {
  override getHostPath(info: { ContainerPath: string }): Promise<string> {
    return Promise.resolve(join(directory, info.ContainerPath.split('/').at(-1) ?? ''));
  }
}

function open(driver: BlockDriver, options: SandboxDevicesOptions = {}): SandboxDevices {
  const host = new ImageHost();
  return new SandboxDevices(stores.store, bench.sandbox, (work) => work(bench.context), {
    host,
    config: { block_device_driver: driver },
    ...options,
  });
}

function disk(name: string): ReturnType<typeof infoOf> {
  writeFileSync(join(directory, name), Buffer.alloc(8 << 20));
  return infoOf({ DevType: 'b', ContainerPath: `/dev/${name}` });
}

describe.each(['virtio-blk', 'virtio-scsi'] as const)('7.5 sandbox block index, %s', (driver) => {
  test('take gives 0; a disk’s attach takes 1; take gives 2; its detach frees 1; then attach and detach again', async () => {
    const { manager, receiver } = open(driver);
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(0);
    const device = await manager.newDevice(disk('sda'));
    await manager.attachDevice(device.deviceID(), receiver);
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(2);
    await manager.detachDevice(device.deviceID(), receiver);
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(1);
    for (let cycle = 0; cycle < 3; cycle += 1) {
      await manager.attachDevice(device.deviceID(), receiver);
      await manager.detachDevice(device.deviceID(), receiver);
    }
    bench.expectSettled();
    expect(bench.machine.devices).toEqual([]);
  });
});

test('the addresses that the VMM says are written back; nothing is predicted', async () => {
  const scsi = open('virtio-scsi');
  const device = await scsi.addDevice(disk('sda'));
  expect(device.getDeviceInfo()).toMatchObject({ type: 'block', drive: { SCSIAddr: '0:0', Format: 'raw' } });
  const blk = open('virtio-blk');
  const other = await blk.addDevice(disk('sdb'));
  const payload = other.getDeviceInfo();
  if (payload.type !== 'block') throw new TypeError(payload.type);
  expect(payload.drive?.PCIPath.toString()).toBe(bench.attachments()[1]?.guest.pciPath);
});

test('SCSI addresses are those of free units of the VM, not of the index', async () => {
  const { receiver, addDevice } = bound(open('virtio-scsi'));
  await bench.attach('foreign', { driver: 'virtio-scsi' });
  await receiver.getAndSetSandboxBlockIndex();
  const device = await addDevice(disk('sda'));
  expect(device.getDeviceInfo()).toMatchObject({ drive: { Index: 1, SCSIAddr: '0:1' } });
});

test('W57, W95: an added device is there after its process has ended, and can be detached and attached again', async () => {
  const device = await open('virtio-blk').addDevice(disk('sda'));
  const id = device.deviceID();
  const again = open('virtio-blk');
  expect(again.manager.isDeviceAttached(id)).toBe(true);
  expect(await again.receiver.getAndSetSandboxBlockIndex()).toBe(1);
  await again.manager.detachDevice(id, again.receiver);
  const third = open('virtio-blk');
  await third.manager.attachDevice(id, third.receiver);
  expect(bench.attachments()).toMatchObject([{ id, state: 'attached', generation: 2 }]);
});

test('W105: an attach that its process did not survive is settled by asking the VM, not repeated', async () => {
  const first = open('virtio-blk');
  const device = await first.manager.newDevice(disk('sda'));
  const id = device.deviceID();
  bench.machine.fail({ on: 'device_add', do: 'lose', executed: true });
  bench.machine.fail({ on: 'inventory', do: 'unsent', times: 1 });
  await errorOf(first.manager.attachDevice(id, first.receiver));
  const second = open('virtio-blk');
  expect(second.manager.isUnsettled(id)).toBe(true);
  await bench.settle();
  await second.manager.attachDevice(id, second.receiver);
  expect(bench.machine.devices).toHaveLength(1);
  expect(bench.machine.count('device_add')).toBe(1);
  expect(second.manager.isDeviceAttached(id)).toBe(true);
});

test('7.5 AddDevice: an attach that fails leaves no device, no reference and no index', async () => {
  const devices = open('virtio-blk');
  bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no' });
  expect(await errorOf(devices.addDevice(disk('sda')))).toMatchObject({ code: 'vmm-refused' });
  expect(devices.manager.getAllDevices()).toEqual([]);
  expect(await devices.receiver.getAndSetSandboxBlockIndex()).toBe(0);
  bench.expectNothingLeft('sda');
});

test('nvdimm is plugged as such, and its detach is refused: it counts as attached', async () => {
  const devices = open('nvdimm');
  const device = await devices.addDevice({ ...disk('pmem'), Pmem: true, HostPath: join(directory, 'pmem') });
  expect(bench.attachments()).toMatchObject([{ kind: 'pmem', driver: 'nvdimm' }]);
  const id = device.deviceID();
  expect(await errorOf(devices.manager.detachDevice(id, devices.receiver))).toMatchObject({
    code: 'unsupported',
  });
  expect(devices.manager.isDeviceAttached(id)).toBe(true);
});

test('the VM ended: a detach succeeds, since nothing is plugged any more', async () => {
  const { manager, receiver, addDevice } = bound(open('virtio-blk'));
  const device = await addDevice(disk('sda'));
  bench.machine.die();
  const id = device.deviceID();
  expect(await errorOf(manager.detachDevice(id, receiver))).toMatchObject({ code: 'vm-gone' });
  expect(manager.isDeviceAttached(id)).toBe(true);
  // What is done as soon as it is sure that the VM has ended.
  releaseAll(bench.context);
  await manager.detachDevice(id, receiver);
  expect(manager.isDeviceAttached(id)).toBe(false);
});

describe('a guest that is late', () => {
  /** As the VM of a sandbox is used: what was left open is settled before. */
  const openSettling = (): SandboxDevices =>
    new SandboxDevices(
      stores.store,
      bench.sandbox,
      async (work) => {
        await settleSandbox(bench.context);
        return work(bench.context);
      },
      { host: new ImageHost(), config: { block_device_driver: 'virtio-blk' }, timeoutMs: 20 },
    );

  test('W105: a disk that is in the VM before its guest takes it is kept, and the next attach finds it', async () => {
    bench.machine.guest = { ...bench.machine.guest, onPlug: 'acknowledged' };
    const { manager, receiver } = openSettling();
    const device = await manager.newDevice(disk('sda'));
    const id = device.deviceID();
    const error = await errorOf(manager.attachDevice(id, receiver));
    expect(error).toMatchObject({ code: 'outcome-unknown', cause: { code: 'deadline-passed' } });
    expect(error.reason).toContain('the guest did not get further than acknowledged');
    expect(manager.isUnsettled(id)).toBe(true);
    expect(await errorOf(manager.removeDevice(id))).toMatchObject({ code: 'outcome-unknown' });
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(1);
    bench.expectSettled();

    bench.machine.advance(bench.attachments()[0]?.plan.vmmId ?? '', 'live');
    await manager.attachDevice(id, receiver);
    expect(device.getAttachCount()).toBe(1n);
    expect(device.getDeviceInfo()).toMatchObject({ drive: { PCIPath: expect.anything() } });
    expect(bench.machine.count('device_add')).toBe(1);
    await manager.detachDevice(id, receiver);
    await manager.removeDevice(id);
    expect(bench.machine.devices).toEqual([]);
    bench.expectSettled();
  });

  test('an added disk that the guest did not take in time stays, and can be detached', async () => {
    bench.machine.guest = { ...bench.machine.guest, onPlug: 'acknowledged' };
    const { manager, receiver, addDevice } = bound(openSettling());
    expect(await errorOf(addDevice(disk('sda')))).toMatchObject({ code: 'outcome-unknown' });
    const [device] = manager.getAllDevices();
    const id = device?.deviceID() ?? '';
    bench.machine.advance(bench.attachments()[0]?.plan.vmmId ?? '', 'live');
    await manager.detachDevice(id, receiver);
    await manager.removeDevice(id);
    bench.expectNothingLeft('sda');
  });

  test('W43: a disk that the guest lets go after the deadline: the next detach succeeds', async () => {
    bench.machine.guest = { ...bench.machine.guest, onUnplug: 'ignores' };
    const { manager, receiver, addDevice } = bound(openSettling());
    const id = (await addDevice(disk('sda'))).deviceID();
    expect(await errorOf(manager.detachDevice(id, receiver))).toMatchObject({ code: 'deadline-passed' });
    expect(manager.isDeviceAttached(id)).toBe(true);
    bench.machine.letGo(bench.attachments()[0]?.plan.vmmId ?? '');
    await manager.detachDevice(id, receiver);
    expect(manager.isDeviceAttached(id)).toBe(false);
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(0);
    await manager.removeDevice(id);
    bench.expectNothingLeft('sda');
  });
});

test('W15, W33: cold-plug into a VM that runs is refused, not a success', async () => {
  const devices = open('virtio-blk');
  const info = { ...disk('sda'), ColdPlug: true };
  expect(await errorOf(devices.addDevice(info))).toMatchObject({ code: 'unsupported' });
  expect(bench.machine.log).toEqual([]);
});

test('a device is not plugged as what it is not', async () => {
  const { manager, receiver } = open('virtio-blk');
  const device = await manager.newDevice(disk('sda'));
  expect(await errorOf(receiver.hotplugAddDevice(device, 'vfio'))).toMatchObject({
    code: 'invalid-argument',
  });
});

test('cache settings of v1 become QEMU’s', async () => {
  const set = { block_device_cache_set: true, block_device_driver: 'virtio-blk' as const };
  const devices = open('virtio-blk', { config: { ...set, block_device_cache_direct: true } });
  await devices.addDevice(disk('sda'));
  expect(bench.machine.log[0]?.command).toMatchObject({
    arguments: { cache: { direct: true, 'no-flush': false } },
  });
});

function bound(devices: SandboxDevices): Pick<SandboxDevices, 'manager' | 'receiver' | 'addDevice'> {
  return {
    manager: devices.manager,
    receiver: devices.receiver,
    addDevice: (info) => devices.addDevice(info),
  };
}

test('W62: block indexes that were read, and a saved device, do not change with what comes after', async () => {
  const devices = open('virtio-blk');
  const device = await devices.addDevice(disk('sda'));
  const indexes = devices.manager.blockIndexes();
  const saved = device.save();
  await devices.addDevice(disk('sdb'));
  await devices.manager.detachDevice(device.deviceID(), devices.receiver);
  expect([...indexes]).toEqual([0]);
  expect(saved).toMatchObject({ AttachCount: 1, BlockDrive: { Index: 0 } });
});

test('W55: a group that was cold-plugged, as a NIC is, is detached and forgotten like any device', async () => {
  const host = new TestHost();
  host.groups.set('/dev/vfio/9', [memberOf('0000:02:00.0')]);
  const { manager } = open('virtio-blk', { host });
  const device = await manager.newDevice(
    infoOf({ DevType: 'c', Major: 240, Minor: 1, ContainerPath: '/dev/vfio/9', ColdPlug: true }),
  );
  await manager.attachDevice(device.deviceID(), new MockDeviceReceiver());
  await manager.detachDevice(device.deviceID(), new MockDeviceReceiver());
  await manager.removeDevice(device.deviceID());
  expect(manager.getAllDevices()).toEqual([]);
  expect(stores.store.read((tx) => tx.managedDevices('vm1'))).toEqual([]);
});

test('block indexes that v1 had given out to what is no device, such as the boot image, stay taken', async () => {
  const state = emptyV1State(bench.sandbox, 'alive');
  const HypervisorState = { ...state.HypervisorState, BlockIndexMap: { '0': {} } };
  const document = printKeptDocument({ sandbox: { ...state, HypervisorState }, containers: {} });
  stores.store.write((tx) => tx.putV1State('vm1', document));
  expect(await open('virtio-blk').receiver.getAndSetSandboxBlockIndex()).toBe(1);
});
