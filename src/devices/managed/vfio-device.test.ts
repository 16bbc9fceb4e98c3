import { describe, expect, test } from 'vitest';
import type { DeviceInfo } from '../../api/device-info.ts';
import { codeOf, infoOf, memberOf, membersOf, refusal, TestHost, TestReceiver } from './device.testing.ts';
import { VFIODevice } from './vfio-device.ts';

const id = '5f0c6a1be8d2470e';
const addresses = ['0000:3b:00.0', '0000:3b:00.1'];

function hostWith(...members: string[]): TestHost {
  const host = new TestHost();
  host.groups.set('/dev/vfio/2', members.map(memberOf));
  return host;
}

function group(host: TestHost, given: Partial<DeviceInfo> = {}): VFIODevice {
  return new VFIODevice(infoOf({ ID: id, HostPath: '/dev/vfio/2', DevType: 'c', ...given }), host);
}

test('7.6 multi-device groups, W07, W44: the receiver is asked once, and finds the whole group in the payload', async () => {
  const receiver = new TestReceiver();
  const device = group(hostWith(...addresses));
  receiver.during.set('add', () => expect(membersOf(device)).toHaveLength(2));
  await device.attach(receiver);
  expect(receiver.calls).toEqual([`add vfio ${id}`]);
  expect(membersOf(device)).toEqual(
    addresses.map((BDF, index) => ({ ...memberOf(BDF), ID: `vfio-${id}${index}`, Bus: '' })),
  );
});

test('7.6 re-attach, W12: every attach makes the list anew; no id is in it twice', async () => {
  const receiver = new TestReceiver();
  const host = hostWith(...addresses);
  const device = group(host);
  await device.attach(receiver);
  await device.detach(receiver);
  host.groups.set('/dev/vfio/2', [memberOf('0000:3b:00.1')]);
  await device.attach(receiver);
  expect(membersOf(device).map(({ ID, BDF }) => `${ID} ${BDF}`)).toEqual([`vfio-${id}0 0000:3b:00.1`]);
});

test('W12, W45: after a failed attach the payload is what it was', async () => {
  const receiver = new TestReceiver();
  receiver.failures.set('add', refusal());
  const device = group(hostWith(...addresses));
  expect(await codeOf(device.attach(receiver))).toBe('vmm-refused');
  expect(membersOf(device)).toEqual([]);
  expect(device.getAttachCount()).toBe(0n);
});

test('7.6 PCIe bus numbering, W13: the bus is the receiver’s to say; no device and no manager has a say in that of another', async () => {
  const payloads = await Promise.all(
    [0, 1].map(async () => {
      const device = group(hostWith(...addresses));
      await device.attach(new TestReceiver());
      return membersOf(device);
    }),
  );
  expect(payloads[0]).toEqual(payloads[1]);
  expect(payloads[0]?.map(({ Bus }) => Bus)).toEqual(['', '']);
});

test('the members of a large group and of a long id stay distinct within 31 bytes', async () => {
  const members = Array.from({ length: 1001 }, (_, index) => `0000:00:00.${index}`);
  for (const each of [id, 'x'.repeat(40)]) {
    const device = group(hostWith(...members), { ID: each });
    await device.attach(new TestReceiver());
    const ids = membersOf(device).map(({ ID }) => ID);
    expect(new Set(ids).size).toBe(1001);
    expect(Math.max(...ids.map((text) => text.length))).toBeLessThanOrEqual(31);
  }
});

test('an empty group cannot be attached', async () => {
  const device = group(hostWith());
  expect(await codeOf(device.attach(new TestReceiver()))).toBe('source-unsuitable');
  expect(device.getAttachCount()).toBe(0n);
});

describe('7.6 cold-plug', () => {
  test('W07: the whole group is appended; its detach does not touch the receiver', async () => {
    const receiver = new TestReceiver();
    const device = group(hostWith(...addresses), { ColdPlug: true });
    await device.attach(receiver);
    await device.detach(receiver);
    expect(receiver.calls).toEqual([`append vfio ${id}`]);
    expect(membersOf(device)).toHaveLength(2);
    expect(device.getAttachCount()).toBe(0n);
  });
});

test('a refused detach counts as attached still', async () => {
  const receiver = new TestReceiver();
  const device = group(hostWith(...addresses));
  await device.attach(receiver);
  receiver.failures.set('remove', refusal('deadline-passed'));
  expect(await codeOf(device.detach(receiver))).toBe('deadline-passed');
  expect(device.getAttachCount()).toBe(1n);
});
