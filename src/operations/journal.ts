import { randomBytes } from 'node:crypto';
import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type {
  OperationAction,
  OperationRecord,
  OperationState,
  ProcessIdentity,
  Timeline,
} from '../api/operation.ts';
import { isAlive } from '../host/process-identity.ts';
import type { Claims, Transaction } from '../store/store.ts';

/** 16 hexadecimal characters from the system's random source, as v1's ids. */
export function newId(): string {
  return randomBytes(8).toString('hex');
}

/**
 * The journal entry of an operation that is about to begin; it is durable once the
 * transaction it is written in has committed.
 * @throws VmplugError `operation-in-progress`
 */
export function openOperation(
  tx: Transaction & Claims,
  attachment: AttachmentRecord,
  action: OperationAction,
  owner: ProcessIdentity,
  timeoutMs: number,
): OperationRecord {
  const other = runningOperation(tx, attachment.id);
  if (other !== undefined) {
    throw new VmplugError('operation-in-progress', {
      action,
      subject: attachment.id,
      reason: `${other.action} ${other.id} is under way in process ${other.owner.pid}`,
      hint: 'wait until it has ended',
      facts: { operation: other.id, pid: other.owner.pid },
    });
  }
  const now = Date.now();
  const operation: OperationRecord = {
    id: newId(),
    sandbox: attachment.sandbox,
    device: attachment.id,
    action,
    state: 'running',
    plan: attachment.plan,
    startedAt: now,
    deadlineAt: now + timeoutMs,
    timeline: {},
    owner,
  };
  tx.putOperation(operation);
  return operation;
}

/** The operation on a device that a living process is working on. */
export function runningOperation(tx: Transaction, device: string): OperationRecord | undefined {
  return tx
    .operations({ device })
    .find(({ id, state, owner }) => state === 'running' && !abandoned.has(id) && isAlive(owner));
}

/** Operations of this process that have ended without that being recorded. */
const abandoned = new Set<string>();

/**
 * This process no longer works on `operation`. When the state could not be written, its entry
 * still says that it does, and would for as long as the process lives.
 */
export function abandonOperation(operation: OperationRecord, error: unknown): void {
  if (!(error instanceof VmplugError) || hasCode(error, 'state-unavailable', 'state-damaged')) {
    abandoned.add(operation.id);
  }
}

/**
 * Changes the record of an attachment, if it is still there: whoever finds that the VM has ended
 * frees everything, and what was freed must not come back.
 * @returns whether it was there
 */
export function updateAttachment(tx: Transaction, attachment: AttachmentRecord): boolean {
  if (tx.attachment(attachment.id) === undefined) return false;
  tx.putAttachment(attachment);
  return true;
}

/**
 * The journal entry of an operation that has come to `state`; gone with its sandbox it stays gone.
 * Its plan stays the one that was journalled last.
 */
export function closeOperation(
  tx: Transaction,
  { id }: Pick<OperationRecord, 'id'>,
  state: OperationState,
  timeline: Timeline,
  error?: unknown,
): void {
  const kept = tx.operation(id);
  if (kept === undefined) return;
  tx.putOperation({
    ...kept,
    state,
    timeline,
    endedAt: Date.now(),
    ...(error === undefined ? {} : { error: describe(error) }),
  });
}

/** Closes what is still open in the journal for a device that has been settled. */
export function closeOpen(tx: Transaction, device: string, state: OperationState): void {
  for (const operation of tx.operations({ device })) {
    if (closedStates.has(operation.state)) continue;
    closeOperation(tx, operation, state, operation.timeline);
  }
}

const closedStates: ReadonlySet<OperationState> = new Set(['done', 'failed', 'released', 'gone']);

function describe(error: unknown): { code: string; message: string } {
  return error instanceof VmplugError
    ? { code: error.code, message: error.message }
    : { code: 'internal-error', message: error instanceof Error ? error.message : String(error) };
}
