import type { SeenFact } from '../../lab/seen.ts';
import { reaches } from '../../src/api/evidence.ts';
import type { NotRun } from './not-run.ts';

/** A row of the table of kinds; the cells are text. */
export interface KindRow {
  readonly kind: string;
  readonly hotPlug: string;
  readonly coldPlug: string;
  readonly unplug: string;
  readonly evidence: string;
  readonly address: string;
  readonly machines: string;
}

/** Nothing of it was seen. */
const nothing = '–';

/** The table of kinds, made of what was seen and of what cannot be. Pure: the order of the facts does not matter. */
export function kindRows(facts: readonly SeenFact[], notRun: readonly NotRun[]): KindRow[] {
  const kinds = [...new Set(facts.map(({ kind }) => kind))].toSorted();
  const seen = kinds.map((kind) =>
    rowOf(
      kind,
      facts.filter((fact) => fact.kind === kind),
    ),
  );
  const rest = notRun.filter(({ kind }) => !kinds.includes(kind));
  return [...seen, ...rest.map(notRunRow)];
}

function rowOf(kind: string, facts: readonly SeenFact[]): KindRow {
  const worked = facts.filter(({ refused }) => refused === undefined);
  const best = worked.reduce<SeenFact['evidence']>(
    (most, { evidence }) => (evidence !== undefined && !reaches(most, evidence) ? evidence : most),
    undefined,
  );
  return {
    kind,
    hotPlug: wayOf('hot-plug', facts),
    coldPlug: wayOf('cold-plug', facts),
    unplug: wayOf('unplug', facts),
    evidence: best ?? nothing,
    address: listed(worked.flatMap(({ address }) => address ?? [])),
    machines: machinesOf(worked),
  };
}

/** `yes`, or `no` with the reason; both, where the machines differ. */
function wayOf(way: SeenFact['way'], facts: readonly SeenFact[]): string {
  const ofWay = facts.filter((fact) => fact.way === way);
  const worked = ofWay.some(({ refused }) => refused === undefined);
  const reasons = new Map<string, string[]>();
  for (const { refused, machine } of ofWay) {
    if (refused !== undefined) reasons.set(refused, [...(reasons.get(refused) ?? []), machine]);
  }
  const refusals = [...reasons].map(([reason, machines]) => {
    const where = worked ? `not on ${[...new Set(machines)].toSorted().join(', ')}` : 'no';
    return `${where}: ${reason}`;
  });
  return listed([...(worked ? ['yes'] : []), ...refusals.toSorted()], '; ');
}

/** `pc (7.2), q35 (7.2, 10.0)`: a release of QEMU is its first two numbers, updates in between change nothing here. */
function machinesOf(facts: readonly SeenFact[]): string {
  const machines = [...new Set(facts.map(({ machine }) => machine))].toSorted();
  return listed(
    machines.map((machine) => {
      const versions = facts.filter((fact) => fact.machine === machine).map(({ qemu }) => release(qemu));
      return `${machine} (${[...new Set(versions)].toSorted(byNumbers).join(', ')})`;
    }),
  );
}

function release(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function listed(words: readonly string[], between = ', '): string {
  const unique = [...new Set(words)];
  return unique.length === 0 ? nothing : (between === ', ' ? unique.toSorted() : unique).join(between);
}

function notRunRow({ kind, reason }: NotRun): KindRow {
  return {
    kind,
    hotPlug: `not run: ${reason}`,
    coldPlug: 'not run',
    unplug: 'not run',
    evidence: nothing,
    address: nothing,
    machines: nothing,
  };
}
