import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DeviceEvent, VmmFacts } from '../../api/hypervisor.ts';
import type { Place } from '../../api/place.ts';
import { startScriptedQmp, type ScriptedPeer, type ScriptedQmp } from './qmp/scripted-peer.testing.ts';
import { QemuHypervisor } from './qemu-hypervisor.ts';

const limits = { timeoutMs: 10_000 };
const facts = (version: string): VmmFacts => ({
  type: 'qemu',
  version,
  machine: 'pc',
  features: ['probe:2'],
});

let server: ScriptedQmp;
let hypervisor: QemuHypervisor;
let peer: ScriptedPeer;
let asked: string[];
let status: string;
let eventBehindStatus: string | undefined;

beforeEach(async () => {
  asked = [];
  status = 'running';
  eventBehindStatus = undefined;
  server = await startScriptedQmp({
    onCommand: (command, client) => {
      asked.push(command.execute);
      if (command.execute === 'sync') return {};
      if (command.execute !== 'query-status') return undefined;
      const reply = { return: { status, running: status === 'running', singlestep: false }, id: command.id };
      const event = { event: eventBehindStatus, timestamp: { seconds: 1, microseconds: 1 } };
      const lines = eventBehindStatus === undefined ? [reply] : [reply, event];
      eventBehindStatus = undefined;
      client.raw(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''));
      return undefined;
    },
  });
  hypervisor = await QemuHypervisor.connect(server.path, { ...limits, facts: facts('7.2.22') });
  peer = await server.nextPeer();
});
afterEach(async () => {
  await hypervisor[Symbol.asyncDispose]();
  await server.close();
});

/** When its reply is here, every event before it was heard. */
const settle = (): Promise<unknown> => Promise.all(hypervisor.submit([{ execute: 'sync' }], limits));

test('the status is asked once and kept until an event says that it changed', async () => {
  expect(await hypervisor.status(limits)).toBe('running');
  expect(await hypervisor.status(limits)).toBe('running');
  expect(asked).toEqual(['query-status']);
  status = 'paused';
  peer.event('STOP');
  await settle();
  expect(await hypervisor.status(limits)).toBe('paused');
});

test('an event right behind the reply is newer than the reply', async () => {
  eventBehindStatus = 'STOP';
  expect(await hypervisor.status(limits)).toBe('running');
  status = 'paused';
  expect(await hypervisor.status(limits)).toBe('paused');
});

test.each([
  ['prelaunch', 'not-started'],
  ['inmigrate', 'not-started'],
  ['shutdown', 'ended'],
  ['internal-error', 'paused'],
  ['io-error', 'paused'],
])('run state %s means %s', async (state, expected) => {
  status = state;
  expect(await hypervisor.status(limits)).toBe(expected);
});

test('of the two DEVICE_DELETED of a virtio device the one that names it counts, and refusals are told apart', async () => {
  const heard: DeviceEvent[] = [];
  const stop = hypervisor.onDeviceEvent('d0', (event) => heard.push(event));
  peer.event('DEVICE_DELETED', { path: '/machine/peripheral/d0/virtio-backend' });
  peer.event('DEVICE_UNPLUG_GUEST_ERROR', { device: 'd0', path: '/machine/peripheral/d0' });
  peer.event('DEVICE_DELETED', { device: 'd1', path: '/machine/peripheral/d1' });
  peer.event('DEVICE_DELETED', { device: 'd0', path: '/machine/peripheral/d0' });
  await settle();
  expect(heard).toEqual(['removal-refused', 'removed']);
  stop();
  peer.event('DEVICE_DELETED', { device: 'd0', path: '/machine/peripheral/d0' });
  await settle();
  expect(heard).toHaveLength(2);
});

test('how an unplug may be asked for depends on the method and the version', async () => {
  const at = (unplug: Place['unplug']): Place => ({ transport: 'pci', bus: 'p0', slot: 0, path: [], unplug });
  expect(hypervisor.unplugPolicy(at('acpi'))).toEqual({ waitForGuest: false, repeatAfterMs: 1000 });
  expect(hypervisor.unplugPolicy(at('immediate'))).toEqual({ waitForGuest: false });
  const native = hypervisor.unplugPolicy(at('pcie-native'));
  expect(native.repeatAfterMs, 'a second press within 5 s cancels the first').toBeGreaterThan(5000);
  await hypervisor[Symbol.asyncDispose]();
  hypervisor = await QemuHypervisor.connect(server.path, { ...limits, facts: facts('7.2.0') });
  expect(hypervisor.unplugPolicy(at('acpi'))).toEqual({ waitForGuest: true });
});

test('what an earlier probe left out is asked, however much of it is kept', async () => {
  await hypervisor[Symbol.asyncDispose]();
  const kept = { ...facts('7.2.22'), features: ['device:virtio-blk-pci'] };
  await expect(QemuHypervisor.connect(server.path, { timeoutMs: 200, facts: kept })).rejects.toThrow();
  expect(asked).toContain('query-version');
  expect(asked).toContain('query-memdev');
});
