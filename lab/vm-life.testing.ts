import { mkdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { hasCode, VmplugError } from '../src/api/errors.ts';
import type { JsonObject, JsonValue } from '../src/api/json.ts';
import { Vmplug, type Finding, type VmplugOptions } from '../src/index.ts';
import { tellVmm } from './errors.testing.ts';
import { startLabGuest, waitForSocket, type ForeignOptions, type ForeignQemu } from './foreign-qemu.ts';
import { execInGuest } from './guest/index.ts';
import type { GuestName } from './guests.ts';
import { Lab } from './harness.ts';

/** Deadlines for a guest that boots on a busy machine. */
export const patient = { timeoutMs: 90_000 };

/** A VM that was started by hand and is adopted, with a second monitor for what happens behind vmplug's back. */
export interface LivingVm {
  readonly qemu: ForeignQemu;
  /** The path of the monitor that vmplug knows. */
  readonly qmp: string;
  tell(execute: string, args?: JsonObject): Promise<JsonValue | undefined>;
  /** Runs a script in the guest, and returns what it printed. */
  run(script: string): Promise<string>;
  /** Serials of the disks that the guest sees. */
  serials(): Promise<string[]>;
  /** Ids of its devices, and names of its block nodes, that are ours. */
  ours(): Promise<string[]>;
}

/** A state directory, the VMs in it, and vmplug on it as a library. */
export class LifeLab implements AsyncDisposable {
  readonly lab: Lab = new Lab();
  readonly #started = new AsyncDisposableStack();

  /** Opens the state anew; several may be open at once. */
  open(options: VmplugOptions = {}): Vmplug {
    return Vmplug.open({ stateDir: this.lab.stateDir, lingerMs: 0, ...options });
  }

  /** Runs `work` with the state open for as long as that takes. */
  async use<T>(work: (vmplug: Vmplug) => Promise<T>, options: VmplugOptions = {}): Promise<T> {
    await using vmplug = this.open(options);
    return await work(vmplug);
  }

  /** Starts a VM, without adopting it. @param name of its files */
  async start(
    name: string,
    guest: GuestName,
    args: readonly string[] = [],
    options: ForeignOptions = {},
  ): Promise<LivingVm> {
    const directory = this.lab.path(`vm-${name}`);
    mkdirSync(directory);
    const second = `${directory}/second.qmp`;
    const qemu = this.#started.use(
      await startLabGuest(directory, guest, [...args, '-qmp', `unix:${second},server=on,wait=off`], options),
    );
    // Made after the first one, which may be there from another VM.
    await waitForSocket(second, qemu.ended);
    const tell: LivingVm['tell'] = async (execute, given = {}) =>
      (await tellVmm(second, [execute, given]))[0];
    const run = async (script: string): Promise<string> =>
      (await execInGuest(qemu.exec, script, patient)).stdout.toString('utf8');
    return {
      qemu,
      qmp: qemu.qmp,
      tell,
      run,
      serials: async () =>
        (JSON.parse(await run('disks')) as { serial: string }[]).map(({ serial }) => serial).toSorted(),
      ours: async () => {
        const [devices, nodes] = await Promise.all([
          tell('qom-list', { path: '/machine/peripheral' }),
          tell('query-named-block-nodes', { flat: true }),
        ]);
        const names = [...listOf(devices, 'name'), ...listOf(nodes, 'node-name')];
        return names.filter((name) => name.startsWith('vmplug-')).toSorted();
      },
    };
  }

  /** Starts a VM and adopts it under its name. */
  async adopt(...given: Parameters<LifeLab['start']>): Promise<LivingVm> {
    const vm = await this.start(...given);
    await this.use((vmplug) => vmplug.adopt(given[0], vm.qmp, patient));
    return vm;
  }

  async doctor(repair = false): Promise<Finding[]> {
    return await this.use((vmplug) => vmplug.doctor({ repair, timeoutMs: 2000 }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#started[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

function listOf(list: JsonValue | undefined, key: string): string[] {
  return Array.isArray(list) ? (list as Record<string, string>[]).map((entry) => entry[key] ?? '') : [];
}

/** The error that `promise` is rejected with, which has to be of `code`. */
export async function failsAs(code: VmplugError['code'], promise: Promise<unknown>): Promise<VmplugError> {
  const error: unknown = await promise.then(
    () => expect.fail(`it was expected to fail as ${code}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof VmplugError) || !hasCode(error, code)) throw error;
  return error;
}

/** Starts the guest anew, by a reset of its machine or from within, and waits until it is up again. */
export async function reboot(vm: LivingVm, how: 'system_reset' | 'from within'): Promise<void> {
  await beginReboot(vm, how);
  await waitForReboot(vm);
}

export async function beginReboot(vm: LivingVm, how: 'system_reset' | 'from within'): Promise<void> {
  // What tells the former guest from the next one: /run is gone with it.
  await vm.run('echo former > /run/former');
  if (how === 'system_reset') await vm.tell('system_reset');
  else await vm.run('(sleep 0.2; reboot -f) >/dev/null 2>&1 &');
}

export async function waitForReboot(vm: LivingVm): Promise<void> {
  const deadline = performance.now() + patient.timeoutMs;
  for (;;) {
    // A guest that goes down takes the answer with it.
    const said = await execInGuest(vm.qemu.exec, '[ -e /run/former ] && echo former; echo up', {
      timeoutMs: 4000,
    }).catch(() => undefined);
    if (said?.stdout.toString('utf8').trim() === 'up') return;
    if (performance.now() > deadline) throw new Error('the guest did not start anew');
    await setTimeout(50);
  }
}
