import { isDeepStrictEqual } from 'node:util';
import { hasCode } from '../api/errors.ts';
import type { ExchangeOptions, Hypervisor, VmmFacts } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { questionMs, type OperationContext } from '../operations/context.ts';
import type { LeaseContext } from '../operations/leases.ts';
import { releaseAll, settleSandbox } from '../operations/settle.ts';
import { lifeOf } from '../sandbox/life.ts';
import type { Connections } from './connections.ts';
import { giveBackGroups } from './give-back.ts';
import { withWhoIsWaitedFor } from './waiting-errors.ts';

/** What VMs are worked on with. */
export interface VmsOptions extends LeaseContext {
  readonly connections: Connections;
  readonly onProgress: ((text: string) => void) | undefined;
}

/** Work on a sandbox's VM, with a connection to it. */
export class Vms {
  readonly #options: VmsOptions;

  constructor(options: VmsOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` on a VM with everything settled that was left open before. What a VM held that turns out to
   * have ended is freed.
   */
  async work<T>(
    sandbox: SandboxRecord,
    limits: ExchangeOptions,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const { store, connections } = this.#options;
    try {
      return await connections.use(sandbox, limits, async (hypervisor) => {
        this.#keepFacts(sandbox, hypervisor.facts);
        const context = this.#context(sandbox, hypervisor);
        await settleSandbox(context, questionMs(limits.timeoutMs));
        await giveBackGroups(this.#options);
        return work(context);
      });
    } catch (error) {
      const ended =
        hasCode(error, 'vm-gone', 'vm-replaced') &&
        (error.facts['ended'] === true || lifeOf(sandbox) === 'ended');
      if (ended) {
        releaseAll({ store, sandbox });
        await giveBackGroups(this.#options);
      }
      throw await withWhoIsWaitedFor(store, sandbox.name, error);
    }
  }

  /** Runs `work` on a VM as it is, settling nothing. */
  look<T>(
    sandbox: SandboxRecord,
    limits: ExchangeOptions,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    return this.#options.connections.use(sandbox, limits, (hypervisor) =>
      work(this.#context(sandbox, hypervisor)),
    );
  }

  /** An earlier vmplug asked a VMM less than this one does: what was found out since is kept. */
  #keepFacts(sandbox: SandboxRecord, facts: VmmFacts): void {
    if (isDeepStrictEqual(sandbox.facts, facts)) return;
    this.#options.store.writeSoon((tx) => {
      const record = tx.sandbox(sandbox.name);
      if (record !== undefined) tx.putSandbox({ ...record, facts });
    });
  }

  #context(sandbox: SandboxRecord, hypervisor: Hypervisor): OperationContext {
    const { store, sysfs, onProgress } = this.#options;
    return {
      store,
      sandbox,
      hypervisor,
      owner: ownIdentity(),
      sysfs,
      ...(onProgress === undefined ? {} : { onProgress }),
    };
  }
}
