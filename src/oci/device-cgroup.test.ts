import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeviceReceiver, SettlingReceiver } from '../api/device-receiver.ts';
import { deviceLogger, setLogger, silentLogger, type Logger } from '../api/logger.ts';
import { withDeviceCgroup, type DeviceCgroup } from './device-cgroup.ts';
import { failure, FakeDevice, FakeReceiver, request } from './fake-devices.testing.ts';

const device = (ID: string, HostPath = '/dev/sda'): FakeDevice =>
  new FakeDevice(request({ ID, HostPath }), { type: 'block', drive: null });

/** A cgroup and a receiver that write into one list. */
function bench() {
  const receiver = new FakeReceiver();
  const cgroup: DeviceCgroup = {
    allow: async (path) => void receiver.calls.push(await Promise.resolve(`allow ${path}`)),
    deny: async (path) => void receiver.calls.push(await Promise.resolve(`deny ${path}`)),
  };
  return { receiver, cgroup, wrapped: withDeviceCgroup(receiver, cgroup) };
}

let before: Logger;
let warnings: string[];
beforeEach(() => {
  before = deviceLogger();
  warnings = [];
  const logger: Logger = {
    ...silentLogger(),
    warn: (message) => void warnings.push(message),
    withFields: () => logger,
  };
  setLogger(logger);
});
afterEach(() => setLogger(before));

test('7.6 cgroup side effects, 6.1: allowed before the hot add, revoked after the removal', async () => {
  const { receiver, wrapped } = bench();
  await wrapped.hotplugAddDevice(device('d1'), 'block');
  await wrapped.hotplugRemoveDevice(device('d1'), 'block');
  expect(receiver.calls).toEqual(['allow /dev/sda', 'add d1', 'remove d1', 'deny /dev/sda']);
});

test('W52: revoked when the hot add fails', async () => {
  const { receiver, wrapped } = bench();
  const refusal = failure('vmm-refused', 'd1');
  receiver.refused.set('add d1', refusal);
  await expect(wrapped.hotplugAddDevice(device('d1'), 'block')).rejects.toBe(refusal);
  expect(receiver.calls).toEqual(['allow /dev/sda', 'add d1', 'deny /dev/sda']);
});

test('W52: while nobody knows whether the VMM has it, it stays allowed; the removal revokes', async () => {
  const { receiver, wrapped } = bench();
  receiver.refused.set('add d1', failure('outcome-unknown', 'd1'));
  await expect(wrapped.hotplugAddDevice(device('d1'), 'block')).rejects.toThrow();
  expect(receiver.calls).toEqual(['allow /dev/sda', 'add d1']);
  receiver.refused.clear();
  await wrapped.hotplugAddDevice(device('d1'), 'block');
  await wrapped.hotplugRemoveDevice(device('d1'), 'block');
  expect(receiver.calls.slice(2)).toEqual(['add d1', 'remove d1', 'deny /dev/sda']);
});

test('W52: not revoked when the hot remove fails', async () => {
  const { receiver, wrapped } = bench();
  await wrapped.hotplugAddDevice(device('d1'), 'block');
  receiver.refused.set('remove d1', failure('unplug-refused', 'd1'));
  await expect(wrapped.hotplugRemoveDevice(device('d1'), 'block')).rejects.toThrow();
  expect(receiver.calls).toEqual(['allow /dev/sda', 'add d1', 'remove d1']);
});

test('W52: of two devices with one path the cgroup is told once, and the last revokes', async () => {
  const { receiver, wrapped } = bench();
  await Promise.all([
    wrapped.hotplugAddDevice(device('d1'), 'block'),
    wrapped.hotplugAddDevice(device('d2'), 'block'),
  ]);
  expect(receiver.calls[0]).toBe('allow /dev/sda');
  expect(receiver.calls.slice(1).toSorted()).toEqual(['add d1', 'add d2']);
  await wrapped.hotplugRemoveDevice(device('d1'), 'block');
  expect(receiver.calls.at(-1)).toBe('remove d1');
  await wrapped.hotplugRemoveDevice(device('d2'), 'block');
  expect(receiver.calls.slice(-2)).toEqual(['remove d2', 'deny /dev/sda']);
});

test('W52: the second device with a path is not added before the first one was allowed', async () => {
  const { receiver, cgroup, wrapped } = bench();
  const gate = Promise.withResolvers<undefined>();
  cgroup.allow = async (path) => {
    await gate.promise;
    receiver.calls.push(`allow ${path}`);
  };
  const first = wrapped.hotplugAddDevice(device('d1'), 'block');
  const second = wrapped.hotplugAddDevice(device('d2'), 'block');
  await expect(Promise.race([second, Promise.resolve('pending')])).resolves.toBe('pending');
  gate.resolve(undefined);
  await Promise.all([first, second]);
  expect(receiver.calls[0]).toBe('allow /dev/sda');
});

test('W52: an add waits for a revocation of the same path that is under way', async () => {
  const { receiver, cgroup, wrapped } = bench();
  await wrapped.hotplugAddDevice(device('d1'), 'block');
  const gate = Promise.withResolvers<undefined>();
  const denying = Promise.withResolvers<undefined>();
  cgroup.deny = async (path) => {
    denying.resolve(undefined);
    await gate.promise;
    receiver.calls.push(`deny ${path}`);
  };
  const removal = wrapped.hotplugRemoveDevice(device('d1'), 'block');
  await denying.promise;
  const addition = wrapped.hotplugAddDevice(device('d2'), 'block');
  gate.resolve(undefined);
  await Promise.all([removal, addition]);
  expect(receiver.calls.slice(2)).toEqual(['remove d1', 'deny /dev/sda', 'allow /dev/sda', 'add d2']);
});

test('W52: a device that is found to be gone is revoked, and one that is there is allowed', async () => {
  const { receiver, cgroup } = bench();
  expect(withDeviceCgroup(receiver, cgroup)).not.toHaveProperty('hasDevice');
  let has = true;
  const settling = Object.assign(receiver, { hasDevice: async () => Promise.resolve(has) });
  const wrapped = withDeviceCgroup(settling, cgroup) as SettlingReceiver;
  expect(await wrapped.hasDevice(device('d1'))).toBe(true);
  has = false;
  expect(await wrapped.hasDevice(device('d1'))).toBe(false);
  expect(receiver.calls).toEqual(['allow /dev/sda', 'deny /dev/sda']);
});

test('6.1 cgroup: its failures are warnings', async () => {
  const { receiver, cgroup, wrapped } = bench();
  cgroup.allow = async () => Promise.reject(new Error('no such node'));
  cgroup.deny = async () => Promise.reject(new Error('no such node'));
  await wrapped.hotplugAddDevice(device('d1'), 'block');
  await wrapped.hotplugRemoveDevice(device('d1'), 'block');
  expect(receiver.calls).toEqual(['add d1', 'remove d1']);
  expect(warnings).toHaveLength(2);
});

test('what an earlier process allowed is revoked as well; a device without a path is not its matter', async () => {
  const { receiver, wrapped } = bench();
  await wrapped.hotplugRemoveDevice(device('d1'), 'block');
  await wrapped.hotplugAddDevice(device('d2', ''), 'block');
  expect(receiver.calls).toEqual(['remove d1', 'deny /dev/sda', 'add d2']);
});

test('everything else goes to the receiver', async () => {
  const calls: string[] = [];
  const note = async (call: string): Promise<void> => void calls.push(await Promise.resolve(call));
  const receiver: DeviceReceiver = {
    hotplugAddDevice: async () => note('add'),
    hotplugRemoveDevice: async () => note('remove'),
    getAndSetSandboxBlockIndex: async () => Promise.resolve(7),
    unsetSandboxBlockIndex: async (index) => note(`unset ${index}`),
    getSandboxBlockOffset: () => 3,
    getHypervisorType: () => 'firecracker',
    appendDevice: async (appended) => note(`append ${appended.deviceID()}`),
  };
  const wrapped = withDeviceCgroup(receiver, { allow: note, deny: note });
  expect(await wrapped.getAndSetSandboxBlockIndex()).toBe(7);
  expect(wrapped.getSandboxBlockOffset()).toBe(3);
  expect(wrapped.getHypervisorType()).toBe('firecracker');
  await wrapped.unsetSandboxBlockIndex(5);
  await wrapped.appendDevice(device('d1'));
  expect(calls).toEqual(['unset 5', 'append d1']);
});
