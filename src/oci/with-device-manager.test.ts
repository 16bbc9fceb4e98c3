import { expect, test } from 'vitest';
import type { DeviceHost } from '../api/device-host.ts';
import type { BlockDriver } from '../api/device-type.ts';
import { SandboxDeviceManager } from '../manager/devices/device-manager.ts';
import { agentDevices } from './agent/agent-devices.ts';
import { ContainerDevices } from './container-devices.ts';
import { failure, FakeReceiver, request } from './fake-devices.testing.ts';
import { noLargeBars } from './holdings.testing.ts';

/** A container with devices of the real manager, on a host that has whatever is asked for. */
function bench(blockDriver: BlockDriver, receiver: FakeReceiver = new FakeReceiver()) {
  let made = 0;
  const host: DeviceHost = {
    getHostPath: async (info) => Promise.resolve(info.HostPath === '' ? info.ContainerPath : info.HostPath),
    groupMembers: async () =>
      Promise.resolve([
        {
          IsPCIe: true,
          Type: 1,
          BDF: '0000:3b:00.0',
          SysfsDev: '/sys/bus/pci/devices/0000:3b:00.0',
          VendorID: '',
          DeviceID: '',
          Class: '',
        },
      ]),
    randomID: () => `00000000000000${String((made += 1)).padStart(2, '0')}`,
  };
  const manager = new SandboxDeviceManager({ host, blockDriver });
  return { manager, receiver, container: new ContainerDevices({ id: 'c1', manager, receiver }) };
}

test('7.5 VFIO via container: with the real manager a group and a disk are attached and given back', async () => {
  const { manager, receiver, container } = bench('virtio-blk');
  await container.createDevices([
    request({ DevType: 'c', Major: 240, HostPath: '/dev/vfio/2', ContainerPath: '/dev/vfio/2' }),
    request({ Major: 8, ContainerPath: '/dev/sda' }),
  ]);
  await container.attachDevices(noLargeBars);
  expect(manager.getAllDevices().map((device) => device.getAttachCount())).toEqual([1n, 1n]);
  await container.stop();
  expect(receiver.calls.map((call) => call.split(' ')[0])).toEqual(['add', 'add', 'remove', 'remove']);
  expect(manager.getAllDevices()).toEqual([]);
});

test('W30: with a receiver that says no PCI path the agent is told an error, or the guess that was asked for', async () => {
  const { manager, container } = bench('virtio-blk');
  await container.createDevices([request({ ContainerPath: '/dev/sda' })]);
  await container.attachDevices(noLargeBars);
  expect(() => agentDevices(container.devices, manager, 'virtio-blk')).toThrow(
    expect.objectContaining({
      code: 'guest-address-unknown',
      facts: expect.objectContaining({ missing: 'PCIPath' }),
    }),
  );
  expect(agentDevices(container.devices, manager, 'virtio-blk', { addresses: 'predicted' })).toMatchObject([
    { type: 'blk', id: '', vm_path: '/dev/vda', container_path: '/dev/sda' },
  ]);
});

test.each([
  ['virtio-mmio', { type: 'mmioblk', id: '/dev/vda' }],
  ['virtio-scsi', { type: 'scsi', id: '0:0' }],
] as const)(
  '7.5 agent devices: a disk of the real manager on %s needs no answer of the VMM',
  async (driver, told) => {
    const { manager, container } = bench(driver);
    await container.createDevices([request()]);
    await container.attachDevices(noLargeBars);
    expect(agentDevices(container.devices, manager, driver)).toMatchObject([told]);
  },
);

test('W51: an attach of which nobody saw the end is settled when it is given back', async () => {
  const settling = Object.assign(new FakeReceiver(), { hasDevice: async () => Promise.resolve(true) });
  const { manager, receiver, container } = bench('virtio-blk', settling);
  const [device] = await container.createDevices([request()]);
  receiver.refused.set(`add ${device?.ID}`, failure('outcome-unknown', 'add'));
  await expect(container.attachDevices(noLargeBars)).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(receiver.calls).toEqual([`add ${device?.ID}`, `remove ${device?.ID}`]);
  expect(manager.getAllDevices()).toEqual([]);
});

test('W51: while the receiver cannot say what it has, the device is still held', async () => {
  const { manager, receiver, container } = bench('virtio-blk');
  const [device] = await container.createDevices([request()]);
  receiver.refused.set(`add ${device?.ID}`, failure('outcome-unknown', 'add'));
  await expect(container.attachDevices(noLargeBars)).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(container.devices).toEqual([device]);
  Object.assign(receiver, { hasDevice: async () => Promise.resolve(false) });
  await container.stop();
  expect(manager.getAllDevices()).toEqual([]);
});

test('W51: the attachment of another container, made since, is left alone', async () => {
  const { manager, receiver, container } = bench('virtio-blk');
  const [device] = await container.createDevices([request()]);
  const other = new ContainerDevices({ id: 'c2', manager, receiver });
  await other.createDevices([request()]);
  receiver.refused.set(`add ${device?.ID}`, failure('outcome-unknown', 'add'));
  await expect(container.attachDevices(noLargeBars)).rejects.toMatchObject({ code: 'outcome-unknown' });
  Object.assign(receiver, { hasDevice: async () => Promise.resolve(true) });
  await other.attachDevices(noLargeBars);
  await container.stop();
  expect(manager.getAllDevices().map((kept) => kept.getAttachCount())).toEqual([1n]);
  await other.stop();
  expect(manager.getAllDevices()).toEqual([]);
});
