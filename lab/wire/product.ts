import { faultsOf, wordsOf, wordsOfMessage, type WireFault, type WireMessage } from './faults.ts';
import {
  messagesOf,
  underFault,
  type Doing,
  type WireDriver,
  type WireEnd,
  type WireLimits,
  type WireVm,
} from './scenario.ts';

/** One thing that goes wrong in one operation. */
export interface WireCase {
  readonly doing: Doing;
  readonly driver: WireDriver;
  readonly at: WireMessage;
  readonly fault: WireFault;
}

/** What became of many cases. */
export interface WireTally {
  readonly cases: number;
  /** Whose message came, so that something went wrong. */
  readonly reached: number;
  /** How many ended so: `attach done`, `detach outcome-unknown`, … */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of those that did not succeed, how many had changed nothing, or all of it, without a doctor. */
  readonly certain: number;
  /** Milliseconds that the longest operation took. */
  readonly longestMs: number;
  readonly failures: readonly string[];
}

/**
 * Every fault at every message of attach and detach, as clean runs show them. How often the guest is
 * asked differs from run to run, so of a question that is repeated the last times may not come again.
 */
export async function productOf(vm: WireVm, lateMs: number): Promise<WireCase[]> {
  const cases: WireCase[] = [];
  for (const driver of ['virtio-blk', 'virtio-scsi'] as const) {
    for (const doing of ['attach', 'detach'] as const) {
      for (const at of await messagesOf(vm, doing, driver)) {
        cases.push(...faultsOf(at, lateMs).map((fault) => ({ doing, driver, at, fault })));
      }
    }
  }
  return cases;
}

/** Where the same thing is asked many times, the first and the last time only. */
export function withoutRepetitions(cases: readonly WireCase[]): WireCase[] {
  const keyOf = ({ doing, driver, at }: WireCase): string => `${doing} ${driver} ${at.kind} ${at.name}`;
  const last = new Map<string, number>();
  for (const each of cases) last.set(keyOf(each), each.at.nth);
  return cases.filter((each) => each.at.nth === 1 || each.at.nth === last.get(keyOf(each)));
}

/** So many faults at each message, at every message others, so that each of them has its turn. */
export function sampleOf(cases: readonly WireCase[], perMessage: number): WireCase[] {
  const messages = Map.groupBy(cases, ({ doing, driver, at }) => `${doing} ${driver} ${wordsOfMessage(at)}`);
  return [...messages.values()].flatMap((faults, index) =>
    Array.from(
      { length: Math.min(perMessage, faults.length) },
      (_, nth) => faults[(index * perMessage + nth) % faults.length],
    ).flatMap((each) => each ?? []),
  );
}

/** Runs cases on several VMs at once, each of which takes the next one. */
export async function runCases(
  vms: readonly WireVm[],
  cases: readonly WireCase[],
  limits: WireLimits,
): Promise<WireTally> {
  const waiting = [...cases];
  const ends: { each: WireCase; end: WireEnd }[] = [];
  const failures: string[] = [];
  await Promise.all(
    vms.map(async (vm) => {
      for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) {
        try {
          ends.push({ each, end: await underFault(vm, each.doing, each.driver, each, limits) });
        } catch (error) {
          // What is left in this VM would only break the next ones.
          failures.push(
            `${describe(each)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
          );
          return;
        }
      }
    }),
  );
  const outcomes: Record<string, number> = {};
  for (const { each, end } of ends) {
    const key = `${each.doing} ${end.outcome}`;
    outcomes[key] = (outcomes[key] ?? 0) + 1;
  }
  return {
    cases: cases.length,
    reached: ends.filter(({ end }) => end.isReached).length,
    outcomes,
    certain: ends.filter(({ end }) => end.outcome !== 'done' && end.isCertain).length,
    longestMs: Math.round(Math.max(0, ...ends.map(({ end }) => end.tookMs))),
    failures: waiting.length === 0 ? failures : [...failures, `${waiting.length} cases were not run`],
  };
}

function describe({ doing, driver, at, fault }: WireCase): string {
  return `${doing} of ${driver}, ${wordsOf(at, fault)}`;
}
