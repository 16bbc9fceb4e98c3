/** What each of the four who should agree says of a device; who was not asked, or has no say, is left out. */
interface Truths {
  /** The `DeviceManager`: what the sandbox is to have. */
  readonly wanted?: string;
  /** The store. */
  readonly recorded?: string;
  /** The VMM. */
  readonly vmm?: string;
  /** This host: files, sockets, drivers, processes. */
  readonly host?: string;
}

/** One step of a plan. */
export interface PlanStep {
  /** Whether `doctor --repair` takes it, or a person has to. */
  readonly by: 'repair' | 'person';
  /** In the imperative: `release its back end`. */
  readonly step: string;
}

/** One thing that is not as it should be. */
export interface Finding {
  readonly problem:
    | 'vm-ended'
    | 'vm-unreachable'
    | 'vm-replaced'
    | 'unsettled'
    | 'vanished'
    | 'backend-lost'
    | 'orphan-device'
    | 'orphan-backend'
    | 'foreign-device'
    | 'host-changed'
    | 'miscounted'
    | 'leftover-directory'
    | 'not-given-back'
    | 'lease-vanished'
    | 'state-damaged'
    | 'not-recovered'
    | 'no-backup';
  /** Which sandbox it is about; none for the state itself. */
  readonly sandbox?: string;
  readonly device?: string;
  readonly what: string;
  /** Why it does not settle by itself. */
  readonly why?: string;
  /** What mends it. */
  readonly remedy: string;
  /** The same, step by step; without any it is `remedy`, for a person to do. */
  readonly plan?: readonly PlanStep[];
  readonly truths?: Truths;
  /** Good to know, and nothing that has to be mended. */
  readonly isNote?: true;
  readonly repaired: boolean;
}

/** Whether it still has to be mended. */
export function isOpen({ repaired, isNote }: Finding): boolean {
  return !repaired && isNote !== true;
}

/** A step of a finding's plan, in the order of all of them, with what it is about. */
export interface PlannedStep extends PlanStep {
  readonly sandbox?: string;
  readonly device?: string;
  readonly done: boolean;
}

/** What is to be done, in order: of what is found first, first. What is only good to know needs nothing. */
export function planOf(findings: readonly Finding[]): PlannedStep[] {
  return findings
    .filter(({ isNote }) => isNote !== true)
    .flatMap(({ sandbox, device, plan, remedy, repaired }) =>
      (plan ?? [{ by: repaired ? 'repair' : 'person', step: remedy } satisfies PlanStep]).map((step) => ({
        ...(sandbox === undefined ? {} : { sandbox }),
        ...(device === undefined ? {} : { device }),
        ...step,
        done: repaired && step.by === 'repair',
      })),
    );
}

export const repairs = (step: string): PlanStep => ({ by: 'repair', step });
export const person = (step: string): PlanStep => ({ by: 'person', step });
