import { calls, storages, type Storage } from './cases.ts';
import type { CaseFigures, Figures } from './figures.ts';
import type { ManagerResults } from './results.ts';

/** The results as text. */
export function managerTable(results: ManagerResults): string {
  return [...storages.flatMap((storage) => storageTable(results, storage)), ...goalTable(results)].join('\n');
}

const titles: Readonly<Record<Storage, string>> = {
  memory: 'in memory',
  durable: 'with the durable store',
};

function storageTable({ figures, floor, environment }: ManagerResults, storage: Storage): string[] {
  const rows = figures.filter((each) => each.storage === storage);
  return [
    line(`${titles[storage]}: µs (p99), operations per second`, ...calls, 'all four'),
    ...rows.flatMap(({ size, calls: of, fourCalls }) => [
      line(`  ${size} devices`, ...[...calls.map((call) => of[call]), fourCalls].map(timeCell)),
      line('', ...[...calls.map((call) => of[call]), fourCalls].map(({ perSecond }) => `${perSecond}/s`)),
    ]),
    ...(storage === 'memory'
      ? []
      : [line(`  SQLite alone, one row, on ${environment.fileSystem}`, timeCell(floor))]),
    '',
    line(`${titles[storage]}: memory above no device`, 'heap', 'a device', 'resident', 'a device'),
    ...rows.map((row) => line(`  ${row.size} devices`, ...memoryCells(row))),
    '',
  ];
}

function goalTable({ goals }: ManagerResults): string[] {
  return [
    line('goal', 'at most', 'is', '95 % between', ''),
    ...goals.map(({ goal, unit, limit, is, low, high, met }) =>
      line(
        `  ${goal}`,
        `${limit} ${unit}`,
        `${short(is)} ${unit}`,
        low === undefined || high === undefined ? '-' : `${short(low)}–${short(high)}`,
        met ? 'met' : 'missed',
      ),
    ),
  ];
}

function timeCell({ mean, p99 }: Figures): string {
  return `${short(mean)} (${short(p99)})`;
}

/** Fewer devices take less than what two processes differ by. */
const leastDevices = 1_000;

function memoryCells({ size, memory }: CaseFigures): string[] {
  return [memory.heapBytes, memory.rssBytes].flatMap((bytes) => [
    `${(bytes / 1e6).toFixed(2)} MB`,
    size < leastDevices ? '-' : `${Math.round(bytes / size)} B`,
  ]);
}

function line(first: string, ...rest: string[]): string {
  return [first.padEnd(46), ...rest.map((cell) => cell.padStart(17))].join('').trimEnd();
}

function short(value: number): string {
  return value.toFixed(value < 100 ? 2 : 0);
}
