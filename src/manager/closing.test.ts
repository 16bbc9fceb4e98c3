import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OperationState } from '../api/operation.ts';
import { RealClock } from '../hypervisors/simulated/qemu/clock.ts';
import { holdAt, type HeldPoint } from '../hypervisors/simulated/qemu/hold-point.ts';
import { startSimulatedQemu, type StartedSimulatedQemu } from '../hypervisors/simulated/qemu/start.ts';
import { errorOf } from '../operations/bench.testing.ts';
import { Vmplug } from './vmplug.ts';

const limits = { timeoutMs: 60_000 };
let directory: string;
let stateDir: string;
let qemu: StartedSimulatedQemu;
let vmplug: Vmplug;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-closing-'));
  stateDir = join(directory, 'state');
  qemu = await startSimulatedQemu({ clock: new RealClock(), guest: { takesMs: 1, answersMs: 1 } });
  vmplug = Vmplug.open({ stateDir });
  await vmplug.adopt('vm', qemu.socket, limits);
});
afterEach(async () => {
  await vmplug[Symbol.asyncDispose]();
  await qemu[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

function image(): string {
  const path = join(directory, 'a.img');
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

/** Where the conversation about a command stops, right before it is carried out. */
const heldAt = (name: string): HeldPoint => holdAt(qemu.points, { kind: 'command', name });

/** The states of what is in the journal; nothing is left that says that this process is at it. */
async function expectSettledByTheNext(states: OperationState[], attached: number): Promise<void> {
  await using next = Vmplug.open({ stateDir });
  const views = await Promise.all(next.list('vm').map(({ id }) => next.inspect(id, limits)));
  expect(views.flatMap(({ operations }) => operations.map(({ state }) => state))).toEqual(states);
  expect(next.list('vm').map(({ state }) => state)).toEqual(
    Array.from({ length: attached }, () => 'attached'),
  );
  expect(await next.doctor(limits)).toEqual([]);
}

test('closed while an attach waits for the guest: it is given up, and the device stays attached', async () => {
  qemu.vm.guest.settings = { ...qemu.vm.guest.settings, onPlug: 'acknowledged' };
  const ended = errorOf(vmplug.attach('vm', image(), limits));
  await expect.poll(() => qemu.vm.machine.devices.length).toBe(1);
  await vmplug[Symbol.asyncDispose]();
  expect(await ended).toMatchObject({ code: 'aborted', reason: expect.stringContaining('it is in the VM') });
  await expectSettledByTheNext(['expired'], 1);
});

test('closed while a detach waits for the guest: it is given up, and the request stands', async () => {
  const { id } = await vmplug.attach('vm', image(), limits);
  qemu.vm.guest.settings = { ...qemu.vm.guest.settings, onUnplug: 'ignores' };
  const ended = errorOf(vmplug.detach('vm', id, limits));
  await expect.poll(() => vmplug.list('vm')[0]?.state).toBe('detaching');
  await vmplug[Symbol.asyncDispose]();
  expect(await ended).toMatchObject({ code: 'aborted', hint: expect.stringContaining('vmplug detach') });
});

test.each(['blockdev-add', 'device_add'])(
  'closed while the VMM leaves %s unanswered: the next process settles it',
  async (command) => {
    const held = heldAt(command);
    const ended = errorOf(vmplug.attach('vm', image(), limits));
    await held.reached;
    await vmplug[Symbol.asyncDispose]();
    const error = await ended;
    expect(['aborted', 'outcome-unknown']).toContain(error.code);
    expect(error.hint).toMatch(/vmplug/);
    held.release('drop');
    await using next = Vmplug.open({ stateDir });
    await next.inspectSandbox('vm', limits);
    expect(next.list('vm')).toEqual([]);
    expect(await next.doctor(limits)).toEqual([]);
  },
);

test('once it is closed every call says so', async () => {
  await vmplug[Symbol.asyncDispose]();
  const closed = { code: 'state-unavailable', reason: expect.stringContaining('closed') };
  for (const call of [() => vmplug.sandboxes(), () => vmplug.list(), () => vmplug.devices('vm')]) {
    expect(call).toThrow(expect.objectContaining(closed));
  }
  for (const call of [
    () => vmplug.attach('vm', image()),
    () => vmplug.detach('vm', 'x'),
    () => vmplug.adopt('vm2', qemu.socket),
    () => vmplug.stop('vm'),
    () => vmplug.forget('vm'),
    () => vmplug.inspect('x'),
    () => vmplug.inspectSandbox('vm'),
    () => vmplug.doctor(),
  ]) {
    expect(await errorOf(call())).toMatchObject(closed);
  }
});
