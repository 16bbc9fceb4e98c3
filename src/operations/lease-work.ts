import type { LeaseRecord } from '../api/lease.ts';
import type { ProcessIdentity } from '../api/operation.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import { newId } from './journal.ts';

/** What this process is doing to drivers now: a record can outlive its work, where the state could not be written. */
const working = new Set<string>();

/** Says in a lease's record who works on it; disposed when that has ended. */
export interface LeaseWork extends Disposable {
  readonly worker: NonNullable<LeaseRecord['worker']>;
}

/** @param process who is said to do it */
export function beginLeaseWork(process: ProcessIdentity): LeaseWork {
  const id = newId();
  working.add(id);
  return { worker: { process, id }, [Symbol.dispose]: () => void working.delete(id) };
}

/** Whether a living process changes the drivers of a lease's functions now. */
export function isWorkedOn({ worker }: LeaseRecord): boolean {
  if (worker === undefined) return false;
  const own = ownIdentity();
  const isHere = worker.process.pid === own.pid && worker.process.startTime === own.startTime;
  return isHere ? working.has(worker.id) : isAlive(worker.process);
}
