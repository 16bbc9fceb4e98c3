import { hasCode, VmplugError } from '../api/errors.ts';
import type { ExchangeOptions, Hypervisor } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { withinLimits, type GaveUp } from '../hypervisors/qemu/qmp/limits.ts';
import { Deadline } from '../operations/deadline.ts';
import { connectSandbox } from '../sandbox/connect.ts';

interface Held {
  readonly hypervisor: Promise<Hypervisor>;
  users: number;
  timer?: NodeJS.Timeout;
}

/**
 * Connections to VMMs, shared by the operations that run at once and kept for a moment after
 * the last one. Not longer: a QMP socket serves one client, and others want their turn.
 *
 * Invariants: a connection with users has no timer; one without has one; a connection leaves
 * the map before it is closed.
 */
export class Connections implements AsyncDisposable {
  readonly #held = new Map<string, Held>();
  readonly #lingerMs: number;
  readonly #patienceMs: number | undefined;

  constructor(lingerMs: number, patienceMs?: number) {
    this.#lingerMs = lingerMs;
    this.#patienceMs = patienceMs;
  }

  /** Runs `work` with a connection to the VMM of `sandbox`. */
  async use<T>(
    sandbox: SandboxRecord,
    options: ExchangeOptions,
    work: (hypervisor: Hypervisor) => Promise<T>,
  ): Promise<T> {
    const held = await this.#connected(sandbox, options);
    try {
      return await work(await held.hypervisor);
    } finally {
      this.#leave(sandbox.name, held);
    }
  }

  /** One that is being made for another caller is waited for within the own limits, and made anew when that one gave up. */
  async #connected(sandbox: SandboxRecord, { timeoutMs, signal }: ExchangeOptions): Promise<Held> {
    const deadline = new Deadline(timeoutMs, signal);
    for (;;) {
      const isJoined = this.#held.has(sandbox.name);
      const held = this.#take(sandbox, deadline.exchange());
      try {
        await withinLimits(held.hypervisor, isJoined ? deadline.exchange() : {}, (why) =>
          stillWaiting(sandbox, why),
        );
        return held;
      } catch (error) {
        this.#leave(sandbox.name, held);
        const isOver = deadline.passed() || signal?.aborted === true;
        if (!isJoined || isOver || !hasCode(error, 'aborted', 'monitor-busy', 'deadline-passed')) throw error;
      }
    }
  }

  /** Closes the connection to a sandbox that is going away. */
  async drop(name: string): Promise<void> {
    const held = this.#held.get(name);
    if (held !== undefined) await this.#close(name, held);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#held].map(([name, held]) => this.#close(name, held)));
  }

  #take(sandbox: SandboxRecord, options: ExchangeOptions): Held {
    let held = this.#held.get(sandbox.name);
    if (held === undefined) {
      const made: Held = {
        hypervisor: connectSandbox(sandbox, { ...options, patienceMs: this.#patienceMs }),
        users: 0,
      };
      made.hypervisor.catch(() => {
        if (this.#held.get(sandbox.name) === made) this.#held.delete(sandbox.name);
      });
      this.#held.set(sandbox.name, made);
      held = made;
    }
    clearTimeout(held.timer);
    held.users += 1;
    return held;
  }

  #leave(name: string, held: Held): void {
    held.users -= 1;
    if (held.users === 0) this.#linger(name, held);
  }

  #linger(name: string, held: Held): void {
    if (this.#held.get(name) !== held) return;
    held.timer = setTimeout(() => void this.#close(name, held), this.#lingerMs);
  }

  async #close(name: string, held: Held): Promise<void> {
    clearTimeout(held.timer);
    if (this.#held.get(name) === held) this.#held.delete(name);
    const hypervisor = await held.hypervisor.catch(() => undefined);
    await hypervisor?.[Symbol.asyncDispose]();
  }
}

function stillWaiting({ name, socket }: SandboxRecord, { code, reason, cause }: GaveUp): VmplugError {
  return new VmplugError(code === 'aborted' ? code : 'monitor-busy', {
    action: 'reach the VM of',
    subject: name,
    reason: `${reason}; another operation is still connecting to ${socket}`,
    hint: 'give it longer',
    cause,
  });
}
