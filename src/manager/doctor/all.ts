import { VmplugError } from '../../api/errors.ts';
import type { ExchangeOptions } from '../../api/hypervisor.ts';
import type { SandboxRecord } from '../../api/sandbox.ts';
import type { OperationContext } from '../../operations/context.ts';
import { Deadline } from '../../operations/deadline.ts';
import type { LeaseContext } from '../../operations/leases.ts';
import type { Store } from '../../store/store.ts';
import { limits, type CallOptions } from '../call-options.ts';
import { examineSandbox } from './doctor.ts';
import type { Finding } from './finding.ts';
import { leftLeases } from './leases.ts';
import { leftovers } from './leftovers.ts';
import { examineLost } from './lost.ts';
import { parseRelease } from './release.ts';
import { withWhoIsWaitedFor } from '../waiting-errors.ts';

export interface DoctorOptions extends CallOptions {
  /** Mends what is off; without it nothing is changed. */
  readonly repair?: boolean;
  /** What is to leave its VM although it is in no record, as `SANDBOX/DEVICE`; only what is named does. */
  readonly release?: readonly string[];
}

/** What there is to look at, and how. */
export interface Examined {
  readonly store: Store;
  readonly stateDir: string;
  readonly leases: LeaseContext;
  /** Runs `work` with a connection to the VM of `sandbox`, and settles nothing before. */
  use(
    sandbox: SandboxRecord,
    limits: ExchangeOptions,
    work: (context: OperationContext) => Promise<Finding[]>,
  ): Promise<Finding[]>;
}

/**
 * Every sandbox, one after the other, and then what belongs to none. A VM that does not answer costs the timeout,
 * connecting included; only what repairing has sent is waited for longer.
 * @throws VmplugError as {@link parseRelease}, before anything is done
 */
export async function examineAll(examined: Examined, options: DoctorOptions): Promise<Finding[]> {
  const { store, stateDir } = examined;
  const { timeoutMs, signal } = limits(options);
  const leases = { ...examined.leases, groupClosesMs: timeoutMs };
  const { repair = false, release = [] } = options;
  const { sandboxes, released } = store.read((tx) => ({
    sandboxes: tx.sandboxes(),
    released: release.map((text) => parseRelease(tx, text)),
  }));
  const findings: Finding[] = [];
  for (const sandbox of sandboxes) {
    const deadline = new Deadline(timeoutMs, signal);
    try {
      const found = await examined.use(sandbox, deadline.exchange(), (context) =>
        examineSandbox({ ...context, deadline }, repair, released),
      );
      findings.push(...found);
    } catch (error) {
      const known = await withWhoIsWaitedFor(store, sandbox.name, error);
      if (!(known instanceof VmplugError) || known.code === 'aborted') throw known;
      findings.push(...(await examineLost(store, sandbox, known, repair)));
    }
  }
  return [...findings, ...(await leftLeases(leases, repair)), ...(await leftovers(store, stateDir, repair))];
}
