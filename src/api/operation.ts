import type { Plan } from './plan.ts';

export type OperationAction = 'attach' | 'detach';

/**
 * Where an operation is. `running` while its process works on it. An attach ends `done`,
 * `failed` (everything undone), `expired` (it is in the VM, but not as far as was asked) or
 * `unknown`. A detach ends in the words of the unplug state machine; `refused`, `expired` and
 * `paused` leave the device where it is, and a late event still settles them.
 */
export type OperationState =
  | 'running'
  | 'done'
  | 'failed'
  | 'requested'
  | 'released'
  | 'refused'
  | 'expired'
  | 'paused'
  | 'gone'
  | 'unknown';

/** A process by pid and start time, so that a reused pid is not taken for it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Only to be compared: ticks after boot (`/proc/<pid>/stat`, field 22), and which boot. */
  readonly startTime: string;
}

/** Milliseconds spent in each stage, in order of the stages. */
export type Timeline = Readonly<Record<string, number>>;

/** One run of a plan, made durable before its first side effect. */
export interface OperationRecord {
  readonly id: string;
  readonly sandbox: string;
  readonly device: string;
  readonly action: OperationAction;
  readonly state: OperationState;
  readonly plan: Plan;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly deadlineAt: number;
  readonly endedAt?: number;
  readonly timeline: Timeline;
  readonly owner: ProcessIdentity;
  readonly error?: { readonly code: string; readonly message: string };
}
