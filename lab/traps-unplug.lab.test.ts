import { describe, expect, test } from 'vitest';
import { waitForGuest } from './guest/index.ts';
import type { GuestName } from './guests.ts';
import { startRecordingProxy, type RecordedLine } from './simulated/recording-proxy.ts';
import { TrapVm } from './traps.testing.ts';

const early: readonly GuestName[] = ['pc', 'q35@10', 'q35-native', 'q35-native@10'];
const patient = { timeoutMs: 90_000 };

/** Where a line is that somebody said, with all of these words; −1 where nobody did. */
function find(lines: readonly RecordedLine[], from: RecordedLine['from'], ...words: string[]): number {
  return lines.findIndex((line) => line.from === from && words.every((word) => line.text.includes(word)));
}

describe.each(early)('on %s', (machine) => {
  test('an unplug that is sent before the kernel is up, where it is lost or waits: the disk leaves all the same', async () => {
    await using vm = await TrapVm.start(machine);
    const { id } = await vm.attach(vm.lab.image('a.img'));
    expect(await vm.tell('cont')).toEqual({});
    expect(await vm.vmplug.detach('vm1', id, patient)).toMatchObject({ state: 'released' });
    await waitForGuest(vm.lab.sandbox('vm1').execSocket, patient);
    expect(await vm.lab.disks('vm1')).toEqual([]);
    expect(await vm.has()).toEqual({ devices: expect.any(Array), nodes: [] });
  });
});

describe.each(['q35', 'q35@10'] as const)('on %s', (machine) => {
  test('of the two DEVICE_DELETED that a virtio disk sends, the one that names it is waited for before its node is closed', async () => {
    await using vm = await TrapVm.start(machine, []);
    await using proxy = await startRecordingProxy(vm.lab.path('recorded.qmp'), vm.lab.sandbox('vm1').socket);
    await waitForGuest(vm.lab.sandbox('vm1').execSocket, patient);
    await vm.vmplug.forget('vm1');
    await vm.vmplug.adopt('vm1', proxy.path);
    const { id, plan } = await vm.attach(vm.lab.image('a.img'), { wait: 'live' });
    expect(await vm.vmplug.detach('vm1', id, patient)).toMatchObject({ state: 'released' });
    const { lines } = proxy;
    const asked = find(lines, 'client', 'device_del', plan.vmmId);
    const backend = find(lines, 'server', 'DEVICE_DELETED', `peripheral/${plan.vmmId}/virtio-backend`);
    const named = find(lines, 'server', 'DEVICE_DELETED', `"device": "${plan.vmmId}"`);
    const closed = find(lines, 'client', 'blockdev-del', plan.vmmId);
    expect(asked).toBeGreaterThan(-1);
    expect([asked, backend, named, closed]).toEqual(
      [asked, backend, named, closed].toSorted((a, b) => a - b),
    );
  });
});

describe.each(['q35-native', 'q35-native@10'] as const)('on %s', (machine) => {
  test('a native port is asked once, for a second request in its 5 s would be refused or take the first one back', async () => {
    await using vm = await TrapVm.start(machine, []);
    const { socket, execSocket } = vm.lab.sandbox('vm1');
    await waitForGuest(execSocket, patient);
    await using proxy = await startRecordingProxy(vm.lab.path('recorded.qmp'), socket);
    await vm.vmplug.forget('vm1');
    await vm.vmplug.adopt('vm1', proxy.path);
    const first = await vm.attach(vm.lab.image('a.img'), { wait: 'live' });
    expect(await vm.vmplug.detach('vm1', first.id, patient)).toMatchObject({ state: 'released' });
    const asked = proxy.lines.filter(({ from, text }) => from === 'client' && text.includes('"device_del"'));
    expect(asked.map(({ text }) => text)).toEqual([expect.stringContaining(first.plan.vmmId)]);

    const second = await vm.attach(vm.lab.image('b.img'), { wait: 'live' });
    expect(await vm.tell('device_del', { id: second.plan.vmmId })).toEqual({});
    const again = await vm.tell('device_del', { id: second.plan.vmmId });
    expect(again).toMatch(/already in the process of unplug|guest is busy/);
    expect(await vm.vmplug.detach('vm1', second.id, patient)).toMatchObject({ state: 'released' });
    expect(await vm.lab.disks('vm1')).toEqual([]);
  });
});

test('events without data, as of a VM that is stopped, are understood by a connection that is kept', async () => {
  await using vm = await TrapVm.start('pc', []);
  await vm.attach(vm.lab.image('a.img'));
  expect(await vm.tell('stop')).toEqual({});
  expect(await vm.refused(vm.lab.image('b.img'), { wait: 'live' })).toMatchObject({ code: 'vm-paused' });
  expect(await vm.tell('cont')).toEqual({});
  await vm.attach(vm.lab.image('b.img'));
});
