import { expect } from 'vitest';
import { VmplugError } from '../api/errors.ts';
import type { SimulatedMachine } from '../hypervisors/simulated/index.ts';
import type { Store } from '../store/store.ts';
import type { Bench } from './bench.testing.ts';
import { stages, type ClientCall } from './histories-happenings.testing.ts';
import { giveBackFreed } from './leases.ts';
import { releaseAll } from './settle.ts';

/** The guest begins anew: what it was asked to let go of is gone, and it takes the rest again. */
export function reboot(machine: SimulatedMachine): void {
  for (const { id } of machine.devices.filter(({ leaving }) => leaving)) machine.letGo(id);
  machine.resetEvidence();
  if (machine.status !== 'running') return;
  for (const { id } of machine.devices) machine.advance(id, machine.guest.onPlug);
}

/** The store of a process: when that is dead, nothing is written any more. */
export function mortalStore(store: Store, isDead: () => boolean): Store {
  const write: Store['write'] = (work) => {
    if (isDead()) throw new Error('the process is dead');
    return store.write(work);
  };
  return {
    read: (work) => store.read(work),
    write,
    writeSoon: write,
    writeTogether: async (work) => write(work),
    [Symbol.dispose]: () => undefined,
  };
}

/**
 * The process dies before or after the exchange `at`: nothing else of it gets through to the VM.
 * @returns what stops waiting for that exchange
 */
export function dieAt(machine: SimulatedMachine, at: string, before: boolean, die: () => void): () => void {
  let isDead = false;
  return machine.onExchange((name) => {
    if (name !== at || isDead) return;
    isDead = true;
    die();
    for (const stage of [...stages, 'buses', 'inventory']) {
      const after = stage === name && !before ? 1 : 0;
      machine.fail({ on: stage, do: 'unsent', times: Number.POSITIVE_INFINITY, after });
    }
  });
}

/** The VM ends when `work` comes to the exchange `at`, or behind it; nothing is held for it then. */
export async function endDuring(bench: Bench, at: string, work: () => Promise<unknown>): Promise<void> {
  const stop = bench.machine.onExchange((name) => {
    if (name === at && !bench.machine.isEnded) bench.machine.die();
  });
  await outcome(work());
  stop();
  if (!bench.machine.isEnded) bench.machine.die();
  releaseAll(bench.context);
  await giveBackFreed(bench.context);
  expect(bench.hypervisor.listeners, 'listeners on a VM that has ended').toBe(0);
  expect(bench.attachments()).toEqual([]);
}

/** What a call may be answered while others are at work on the same devices. */
const refusals: Readonly<Record<ClientCall['doing'], readonly string[]>> = {
  attach: ['already-attached', 'claimed-elsewhere', 'no-free-place', 'vm-paused', 'operation-in-progress'],
  detach: ['device-not-found', 'operation-in-progress', 'unplug-refused', 'deadline-passed', 'vm-paused'],
};

/**
 * Makes all calls at the same time.
 * @returns for each VM and device, by `VM/device`, how many more attaches than detaches succeeded
 */
export async function callAtOnce(
  calls: readonly ClientCall[],
  run: (call: ClientCall) => Promise<unknown>,
): Promise<ReadonlyMap<string, number>> {
  const ends = await Promise.all(calls.map((call) => outcome(run(call))));
  const gained = new Map<string, number>();
  for (const [index, call] of calls.entries()) {
    const end = ends[index] ?? '';
    if (end !== 'done') expect(refusals[call.doing], `${call.doing} at once with others`).toContain(end);
    else {
      const key = `${call.vm}/${call.device}`;
      gained.set(key, (gained.get(key) ?? 0) + (call.doing === 'attach' ? 1 : -1));
    }
  }
  return gained;
}

/** `done`, or the code of the error. */
export async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof VmplugError) return error.code;
    throw error;
  }
}

/** The names that devices have had: none comes twice, in no VM. */
export class UsedNames {
  readonly #vms = new Map<string, SimulatedMachine>();

  check(machine: SimulatedMachine): void {
    const added = machine.log.filter(({ command }) => command.execute === 'device_add');
    const names = added.map(({ command }) => JSON.stringify(command.arguments?.['id']));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      expect(this.#vms.get(name) ?? machine, `who has had ${name}`).toBe(machine);
      this.#vms.set(name, machine);
    }
  }
}
