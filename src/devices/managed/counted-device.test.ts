import { describe, expect, test } from 'vitest';
import { MockDeviceReceiver } from '../../api/mock-device-receiver.ts';
import { mostCounted } from './attach-count.ts';
import { BlockDevice } from './block-device.ts';
import { codeOf, driveOf, infoOf, refusal, TestReceiver } from './device.testing.ts';
import { GenericDevice } from './generic-device.ts';

const info = infoOf({ ID: '5f0c6a1be8d2470e', HostPath: '/dev/dm-4', DevType: 'b', Major: 253, Minor: 4 });

describe('host path', () => {
  test('7.2 host path: no DeviceInfo', () => {
    expect(new GenericDevice(null).getHostPath()).toBe('');
  });

  test('7.2 host path: /dev/null', () => {
    expect(new GenericDevice(infoOf({ HostPath: '/dev/null' })).getHostPath()).toBe('/dev/null');
  });
});

test('W34: a device without a request has no numbers and is refused, not crashed on', async () => {
  const device = new BlockDevice(null);
  expect(device.getMajorMinor()).toEqual([0, 0]);
  expect(await codeOf(device.attach(new TestReceiver()))).toBe('source-not-found');
  expect(device.getAttachCount()).toBe(0n);
});

test('3.2: a generic device is only counted; the receiver is never asked', async () => {
  const receiver = new TestReceiver();
  const device = new GenericDevice(info);
  await device.attach(receiver);
  await device.attach(receiver);
  expect(device.getAttachCount()).toBe(2n);
  await device.detach(receiver);
  await device.detach(receiver);
  expect(await codeOf(device.detach(receiver))).toBe('device-not-attached');
  expect(receiver.calls).toEqual([]);
  expect(device.getDeviceInfo()).toEqual({ type: 'generic', info });
});

test('3.1: only the steps between 0 and 1 are real work', async () => {
  const receiver = new TestReceiver();
  const device = new BlockDevice(info);
  for (let each = 0; each < 3; each += 1) await device.attach(receiver);
  expect(receiver.calls).toEqual(['index', 'add block 5f0c6a1be8d2470e']);
  for (let each = 0; each < 3; each += 1) await device.detach(receiver);
  expect(receiver.calls.slice(2)).toEqual(['remove block 5f0c6a1be8d2470e', 'unset 0']);
});

test('3.1: the count has changed when the receiver is asked, and goes back when it refuses', async () => {
  const receiver = new TestReceiver();
  const device = new BlockDevice(info);
  const seen: bigint[] = [];
  const look = (): void => void seen.push(device.getAttachCount());
  receiver.during.set('add', look);
  receiver.failures.set('add', refusal());
  expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
  expect(device.getAttachCount()).toBe(0n);
  await device.attach(receiver);
  receiver.during.set('remove', look);
  receiver.failures.set('remove', refusal('unplug-refused'));
  expect(await codeOf(device.detach(receiver))).toBe('unplug-refused');
  expect(device.getAttachCount()).toBe(1n);
  expect(seen).toEqual([1n, 0n]);
});

test('7.6 MAX counters: attachments are refused at 2^64-1, references stay there', async () => {
  const device = new GenericDevice(info);
  device.load({ ...device.save(), RefCount: mostCounted, AttachCount: mostCounted });
  expect(await codeOf(device.attach(new MockDeviceReceiver()))).toBe('too-many-attachments');
  expect(device.getAttachCount()).toBe(mostCounted);
  expect(device.reference()).toBe(mostCounted);
  expect(device.dereference()).toBe(mostCounted - 1n);
  const fresh = new GenericDevice(info);
  expect([fresh.dereference(), fresh.reference(), fresh.dereference(), fresh.dereference()]).toEqual([
    0n,
    1n,
    0n,
    0n,
  ]);
});

describe('W61: while the receiver is at it', () => {
  test('a saved device says what was confirmed, not what is being tried', async () => {
    const receiver = new TestReceiver();
    const device = new BlockDevice(info);
    receiver.during.set('add', () => {
      expect(device.save()).toEqual(expect.objectContaining({ AttachCount: 0 }));
      expect(device.save()).not.toHaveProperty('BlockDrive');
      expect(device.isAttached()).toBe(false);
      expect(device.record()).toMatchObject({ pending: 'attach', state: { AttachCount: 0, BlockDrive: {} } });
    });
    await device.attach(receiver);
    receiver.during.set('remove', () => {
      expect(device.save()).toMatchObject({ AttachCount: 1, BlockDrive: { Index: 0 } });
      expect(device.isAttached()).toBe(true);
      expect(device.record()).toMatchObject({ pending: 'detach', state: { AttachCount: 1 } });
    });
    await device.detach(receiver);
    expect(device.save()).toMatchObject({ AttachCount: 0 });
    expect(receiver.during.size, 'both looks were taken').toBe(0);
  });

  test('a second attach waits, and plugs anew where the first has failed', async () => {
    const receiver = new TestReceiver();
    receiver.failures.set('add', refusal());
    const device = new BlockDevice(info);
    const [first, second] = await Promise.allSettled([device.attach(receiver), device.attach(receiver)]);
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled']);
    expect(device.getAttachCount()).toBe(1n);
    expect([...receiver.plugged]).toEqual([info.ID]);
    expect([...receiver.indexes]).toEqual([0]);
  });

  test('a state cannot be loaded over it', async () => {
    const receiver = new TestReceiver();
    const device = new BlockDevice(info);
    const state = device.save();
    receiver.during.set('add', () => {
      expect(() => device.load(state)).toThrow(expect.objectContaining({ code: 'operation-in-progress' }));
    });
    await device.attach(receiver);
    expect(driveOf(device).Index).toBe(0);
  });
});

test('the request is copied: what its caller does to it later has no say', () => {
  const given = infoOf({ ...info, DriverOptions: { fstype: 'xfs' } });
  const device = new GenericDevice(given);
  given.HostPath = '/elsewhere';
  if (given.DriverOptions !== null) given.DriverOptions['fstype'] = 'ext4';
  expect(device.info).toMatchObject({ HostPath: '/dev/dm-4', DriverOptions: { fstype: 'xfs' } });
});
