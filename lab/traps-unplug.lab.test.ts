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

interface Reply {
  readonly id: unknown;
  readonly error?: { readonly desc: string };
}

/** What was replied to every command of a name. */
function repliesTo(lines: readonly RecordedLine[], execute: string): Reply[] {
  const said = (from: RecordedLine['from']): (Reply & { execute?: string })[] =>
    lines.filter((line) => line.from === from).map(({ text }) => JSON.parse(text));
  const ids = said('client').flatMap((command) => (command.execute === execute ? [command.id] : []));
  return said('server').filter(({ id }) => ids.includes(id));
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
  test('a native port that has taken the request is not asked again, which would be refused or take it back', async () => {
    await using vm = await TrapVm.start(machine, []);
    const { socket, execSocket } = vm.lab.sandbox('vm1');
    await waitForGuest(execSocket, patient);
    await using proxy = await startRecordingProxy(vm.lab.path('recorded.qmp'), socket);
    await vm.vmplug.forget('vm1');
    await vm.vmplug.adopt('vm1', proxy.path);
    const first = await vm.attach(vm.lab.image('a.img'), { wait: 'live' });
    expect(await vm.vmplug.detach('vm1', first.id, patient)).toMatchObject({ state: 'released' });
    // While the port still powers the disk up, QEMU refuses: that is no press.
    const replies = repliesTo(proxy.lines, 'device_del');
    expect(replies.filter((reply) => 'return' in reply)).toHaveLength(1);
    const refusals = replies.flatMap(({ error }) => (error === undefined ? [] : [error.desc]));
    for (const desc of refusals) expect(desc).toMatch(/guest is busy/);

    const second = await vm.attach(vm.lab.image('b.img'), { wait: 'live' });
    const ask = (): Promise<unknown> => vm.tell('device_del', { id: second.plan.vmmId });
    await expect.poll(ask, { timeout: 30_000, interval: 200 }).toEqual({});
    expect(await ask()).toMatch(/already in the process of unplug|guest is busy/);
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
