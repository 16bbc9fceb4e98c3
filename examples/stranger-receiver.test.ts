import { beforeEach, describe, expect, test } from 'vitest';
import { SandboxDeviceManager, VhostUserFSDevice, VhostUserNetDevice } from 'vmplug';
import type { DeviceInfo } from 'vmplug/api';
import { ToyReceiver, ToyVm } from './stranger-receiver.ts';
import { request, ToyHost } from './toy-host.ts';

let vm: ToyVm;
let receiver: ToyReceiver;
let manager: SandboxDeviceManager;
beforeEach(() => {
  vm = new ToyVm();
  vm.running = true;
  receiver = new ToyReceiver(vm);
  manager = new SandboxDeviceManager({
    host: new ToyHost(),
    blockDriver: 'virtio-blk',
    vhostUserStore: { enabled: true, path: '/run/vhost-user' },
  });
});

describe('new, attach, detach, remove', () => {
  const hotPlugged: readonly [string, DeviceInfo, string[]][] = [
    ['generic', request({ DevType: 'c', Major: 4, Minor: 2, ContainerPath: '/dev/tty2' }), []],
    ['block', request({ Major: 8, Minor: 16, ContainerPath: '/dev/sdb' }), ['/dev/sdb']],
    ['block', request({ Pmem: true, HostPath: '/images/pmem' }), ['/images/pmem']],
    [
      'vfio',
      request({ DevType: 'c', Major: 243, ContainerPath: '/dev/vfio/7' }),
      ['0000:3b:00.0', '0000:3b:00.1'],
    ],
    ['vhost-user-blk-pci', request({ Major: 241, ContainerPath: '/run/blk.sock' }), ['/run/blk.sock']],
    ['vhost-user-scsi-pci', request({ Major: 242, ContainerPath: '/run/scsi.sock' }), ['/run/scsi.sock']],
  ];
  test.each(hotPlugged)('%s', async (type, info, plugged) => {
    const device = await manager.newDevice(info);
    const id = device.deviceID();
    expect(device.deviceType()).toBe(type);

    await manager.attachDevice(id, receiver);
    expect([...vm.slots.values()]).toEqual(plugged);
    expect(manager.isDeviceAttached(id)).toBe(true);

    await manager.detachDevice(id, receiver);
    expect(vm.slots.size).toBe(0);
    await manager.removeDevice(id);
    expect(manager.getAllDevices()).toEqual([]);
  });
});

describe('for a VM that is going to be started', () => {
  beforeEach(() => {
    vm.running = false;
  });

  const coldPlugged: readonly [string, DeviceInfo, number][] = [
    ['block', request({ Major: 8, Minor: 16, ContainerPath: '/dev/sdb', ColdPlug: true }), 1],
    ['vfio', request({ DevType: 'c', Major: 243, ContainerPath: '/dev/vfio/7', ColdPlug: true }), 2],
    ['vhost-user-blk-pci', request({ Major: 241, ContainerPath: '/run/blk.sock', ColdPlug: true }), 1],
    ['vhost-user-scsi-pci', request({ Major: 242, ContainerPath: '/run/scsi.sock', ColdPlug: true }), 1],
  ];
  test.each(coldPlugged)('%s: appended, and part of the VM from then on', async (type, info, slots) => {
    const device = await manager.newDevice(info);
    expect(device.deviceType()).toBe(type);
    await manager.attachDevice(device.deviceID(), receiver);
    vm.running = true;
    await manager.detachDevice(device.deviceID(), receiver);
    expect(vm.slots.size).toBe(slots);
  });

  test.each([
    ['virtio-net-pci', VhostUserNetDevice, { SocketPath: '/run/net.sock', MacAddress: '52:54:00:12:34:56' }],
    ['vhost-user-fs-pci', VhostUserFSDevice, { SocketPath: '/run/fs.sock', Tag: 'share' }],
  ] as const)('%s: made by its class, kept by the manager', async (type, Kind, attrs) => {
    const host = new ToyHost();
    const device = new Kind(request({ ID: host.randomID(), ColdPlug: true }), host, attrs);
    manager = new SandboxDeviceManager({ host, devices: [device] });
    await manager.attachDevice(device.deviceID(), receiver);
    expect([...vm.slots.values()]).toEqual([attrs.SocketPath]);
    expect(device.save()).toMatchObject({ Type: type, AttachCount: 1 });
  });
});

test('one disk, asked for twice: plugged once, gone with the last detach', async () => {
  const sdb = request({ Major: 8, Minor: 16, ContainerPath: '/dev/sdb' });
  const device = await manager.newDevice(sdb);
  expect(await manager.newDevice({ ...sdb, ContainerPath: '/dev/data' })).toBe(device);
  const id = device.deviceID();
  await manager.attachDevice(id, receiver);
  await manager.attachDevice(id, receiver);
  await manager.detachDevice(id, receiver);
  expect(vm.slots.size).toBe(1);
  await manager.detachDevice(id, receiver);
  expect(vm.slots.size).toBe(0);
});

test('what the receiver refuses has changed nothing, and can be tried again', async () => {
  const device = await manager.newDevice(request({ Major: 8, Minor: 16, ContainerPath: '/dev/sdb' }));
  vm.running = false;
  await expect(manager.attachDevice(device.deviceID(), receiver)).rejects.toMatchObject({
    code: 'vmm-refused',
    hint: 'start it, or ask for a cold plug',
  });
  expect(manager.isDeviceAttached(device.deviceID())).toBe(false);
  vm.running = true;
  await manager.attachDevice(device.deviceID(), receiver);
  expect(device.getDeviceInfo()).toMatchObject({ drive: { Index: 0, VirtPath: '/dev/vdb' } });
});

test('the VM takes eight disks; the ninth is refused with nothing taken', async () => {
  const disks = await Promise.all(
    Array.from({ length: 9 }, (_, Minor) =>
      manager.newDevice(request({ Major: 8, Minor, ContainerPath: '/dev/x' })),
    ),
  );
  const attached = await Promise.allSettled(
    disks.map((disk) => manager.attachDevice(disk.deviceID(), receiver)),
  );
  expect(attached.filter(({ status }) => status === 'rejected')).toMatchObject([
    { reason: { code: 'too-many-devices' } },
  ]);
  expect(vm.slots.size).toBe(8);
});

test('saved, and loaded by another process with the same VM', async () => {
  const device = await manager.newDevice(request({ Major: 8, Minor: 16, ContainerPath: '/dev/sdb' }));
  await manager.attachDevice(device.deviceID(), receiver);
  const saved = JSON.stringify(manager.getAllDevices().map((each) => each.save()));

  const next = new SandboxDeviceManager({ host: new ToyHost() });
  next.loadDevices(JSON.parse(saved));
  await next.detachDevice(device.deviceID(), receiver);
  expect(vm.slots.size).toBe(0);
});
