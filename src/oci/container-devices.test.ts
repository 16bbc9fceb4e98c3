import { describe, expect, test } from 'vitest';
import { hasCode, type VmplugError } from '../api/errors.ts';
import { ContainerDevices } from './container-devices.ts';
import { failure, request } from './fake-devices.testing.ts';
import { bench, disks, noLargeBars } from './holdings.testing.ts';

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('nothing was refused');
}

describe('making the devices of a container', () => {
  test('one reference each, in order, and what v1 saves of them', async () => {
    const { manager, container } = bench();
    const infos = disks('a', 'b').map((info) => ({ ...info, FileMode: 0o660, UID: 1, GID: 2 }));
    const devices = await container.createDevices(infos);
    expect(devices).toEqual([
      { ID: 'd1', ContainerPath: '/dev/a', FileMode: 0o660, UID: 1, GID: 2 },
      { ID: 'd2', ContainerPath: '/dev/b', FileMode: 0o660, UID: 1, GID: 2 },
    ]);
    expect(container.save()).toEqual({ DeviceMaps: devices, Rootfs: { BlockDeviceID: '', FsType: '' } });
    expect(manager.counts()).toEqual({ d1: [1n, 0n], d2: [1n, 0n] });
  });

  test('W47: CD-ROM and floppy drives leave no reference behind', async () => {
    const { manager, container } = bench();
    const removable = [2, 11, 15, 16, 17, 18, 20, 23, 24, 25, 26, 27, 28, 29, 32];
    const made = await container.createDevices([
      ...removable.map((Major) => request({ ContainerPath: `/dev/cd${Major}`, Major })),
      request({ ContainerPath: '/dev/sda', Major: 8 }),
      request({ ContainerPath: '/dev/fb0', Major: 29, DevType: 'c' }),
    ]);
    expect(made.map(({ ContainerPath }) => ContainerPath)).toEqual(['/dev/sda', '/dev/fb0']);
    expect(manager.counts()).toEqual({ d1: [1n, 0n], d2: [1n, 0n] });
  });

  test('W47: an id that the manager does not know is an error, not a crash', async () => {
    const { manager, container } = bench();
    const device = { ID: 'gone', ContainerPath: '/dev/a', FileMode: 0, UID: 0, GID: 0 };
    container.adopt({ DeviceMaps: [device], Rootfs: { BlockDeviceID: '', FsType: '' } });
    await container.createDevices(disks('b'));
    manager.devices.clear();
    expect(await rejection(container.attachDevices(noLargeBars))).toMatchObject({
      code: 'device-not-found',
      subject: 'd1',
    });
    expect(container.devices).toEqual([]);
  });

  test('W48: a failure in the middle of the list gives back the earlier references', async () => {
    const { manager, container } = bench();
    const refusal = failure('source-not-found', '/dev/c');
    manager.refused.set('/dev/c', refusal);
    expect(await rejection(container.createDevices(disks('a', 'b', 'c', 'd')))).toBe(refusal);
    expect(manager.counts()).toEqual({});
    expect(container.devices).toEqual([]);
  });
});

describe('attaching', () => {
  test('in the order of the list', async () => {
    const { receiver, container } = bench();
    await container.createDevices(disks('c', 'a', 'b'));
    await container.attachDevices(noLargeBars);
    expect(receiver.calls).toEqual(['add d1', 'add d2', 'add d3']);
  });

  test('W14: on q35 VFIO groups with large BARs wait, by their path on the host', async () => {
    const { receiver, container } = bench();
    const asked: string[] = [];
    const isLargeBar = async (hostPath: string): Promise<boolean> => {
      asked.push(hostPath);
      return Promise.resolve(hostPath === '/dev/vfio/9');
    };
    const group = { DevType: 'c', Major: 240 } as const;
    await container.createDevices([
      request({ ...group, Minor: 1, HostPath: '/dev/vfio/9', ContainerPath: '/dev/gpu' }),
      request({ ...group, Minor: 2, HostPath: '/dev/vfio/3', ContainerPath: '/dev/vfio/9' }),
      ...disks('a'),
    ]);
    await container.attachDevices({ machineType: 'q35', isLargeBar });
    expect(asked).toEqual(['/dev/vfio/9', '/dev/vfio/3']);
    expect(receiver.calls).toEqual(['add d2', 'add d3']);
    await container.attachDeferred();
    expect(receiver.calls).toEqual(['add d2', 'add d3', 'add d1']);
  });

  test('6.11: on other machines nothing waits, nor is asked about', async () => {
    const { receiver, container } = bench();
    await container.createDevices([
      request({ DevType: 'c', HostPath: '/dev/vfio/9', ContainerPath: '/dev/gpu' }),
    ]);
    const isLargeBar = async (): Promise<boolean> => Promise.reject(new Error('asked'));
    await container.attachDevices({ machineType: 'pc', isLargeBar });
    expect(receiver.calls).toEqual(['add d1']);
  });

  test.each([
    ['VFIO', { DevType: 'c', Major: 240, HostPath: '/dev/vfio/2' }],
    ['vhost-user-blk', { DevType: 'b', Major: 241, HostPath: '/run/x.sock' }],
  ] as const)('7.5 VFIO / vhost-user-blk via container: %s is attached and given back', async (_, info) => {
    const { manager, receiver, container } = bench();
    await container.createDevices([request({ ...info, ContainerPath: '/dev/x' })]);
    await container.attachDevices(noLargeBars);
    expect(manager.counts()).toEqual({ d1: [1n, 1n] });
    await container.stop();
    expect(receiver.calls).toEqual(['add d1', 'remove d1']);
    expect(manager.counts()).toEqual({});
  });

  test('W51: a failure gives back what was attached before it, references too', async () => {
    const { manager, receiver, container } = bench();
    const refusal = failure('vmm-refused', 'd3');
    receiver.refused.set('add d3', refusal);
    await container.createDevices(disks('a', 'b', 'c'));
    expect(await rejection(container.attachDevices(noLargeBars))).toBe(refusal);
    expect(receiver.calls).toEqual(['add d1', 'add d2', 'add d3', 'remove d1', 'remove d2']);
    expect(manager.counts()).toEqual({});
  });

  test('W51: what a failed step cannot give back is said with it, and is still held', async () => {
    const { manager, receiver, container } = bench();
    receiver.refused.set('add d2', failure('no-free-place', 'd2'));
    receiver.refused.set('remove d1', failure('unplug-refused', 'd1'));
    await container.createDevices(disks('a', 'b'));
    const error = await rejection(container.attachDevices(noLargeBars));
    expect(error).toMatchObject({ code: 'no-free-place', subject: 'c1' });
    expect((error as VmplugError).message).toMatch(/try "d2".*and then:.*d1: try "d1"/);
    expect(manager.counts()).toEqual({ d1: [1n, 1n] });
    receiver.refused.clear();
    await container.stop();
    expect(manager.counts()).toEqual({});
  });

  test('a failed attach takes no attachment of another container away', async () => {
    const { manager, receiver, container } = bench();
    const other = await manager.newDevice(request({ Minor: 1 }));
    await manager.attachDevice(other.deviceID(), receiver);
    receiver.refused.set('add d2', failure('vmm-refused', 'd2'));
    await container.createDevices([request({ Minor: 0 }), request({ Minor: 1 })]);
    expect(hasCode(await rejection(container.attachDevices(noLargeBars)), 'vmm-refused')).toBe(true);
    expect(manager.counts()).toEqual({ d1: [1n, 1n] });
  });
});

describe('stopping', () => {
  test('W50: it goes on past failures and says all of them', async () => {
    const { manager, receiver, container } = bench();
    await container.createDevices(disks('a', 'b', 'c', 'd'));
    await container.attachDevices(noLargeBars);
    const first = failure('unplug-refused', 'd1');
    const third = new Error('broken pipe');
    receiver.refused.set('remove d1', first).set('remove d3', third);
    const error = await rejection(container.stop());
    expect(error).toMatchObject({
      code: 'unplug-refused',
      subject: 'c1',
      reason: 'd1: try "d1": the test says so; d3: broken pipe',
      facts: { failed: 2 },
    });
    expect(((error as VmplugError).cause as AggregateError).errors).toEqual([first, third]);
    expect(manager.counts()).toEqual({ d1: [1n, 1n], d3: [1n, 1n] });
    expect(container.devices.map(({ ID }) => ID)).toEqual(['d1', 'd3']);
    receiver.refused.clear();
    await container.stop();
    expect(manager.counts()).toEqual({});
  });

  test('W50: not attached and not found are as good as done', async () => {
    const { manager, receiver, container } = bench();
    await container.createDevices(disks('a', 'b', 'c'));
    await container.attachDevices(noLargeBars);
    await manager.detachDevice('d1', receiver);
    manager.devices.delete('d2');
    await container.stop();
    expect(manager.counts()).toEqual({});
    expect(container.devices).toEqual([]);
  });

  test('a container that was saved is stopped by what was saved of it', async () => {
    const before = bench();
    await before.container.createDevices(disks('a', 'b'));
    await before.container.attachDevices(noLargeBars);
    const { manager, receiver } = before;
    const again = new ContainerDevices({ id: 'c1', manager, receiver });
    again.adopt(before.container.save());
    await again.stop();
    expect(receiver.calls).toEqual(['add d1', 'add d2', 'remove d1', 'remove d2']);
    expect(manager.counts()).toEqual({});
  });
});
