import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pluggedKinds } from './kinds.testing.ts';
import { crashMatrix, type Row } from './matrix.testing.ts';
import { Victims } from './victims.testing.ts';

let victims: Victims;
beforeAll(async () => {
  victims = await Victims.make();
});
const summary: string[] = [];
const started = performance.now();
let total = 0;
afterAll(async () => {
  await victims[Symbol.asyncDispose]();
  const seconds = Math.round((performance.now() - started) / 1000);
  process.stdout.write(`${[...summary, `${total} points in ${seconds} s`].join('\n')}\n`);
});

describe.each(Object.entries(pluggedKinds))('%s', (name, kind) => {
  test.each(['attach', 'detach'] as const)('killed with SIGKILL at every point of %s', async (action) => {
    const { rows, missed } = await crashMatrix(kind, action, () => victims.next());
    total += rows.length;
    summary.push(
      `${name}: ${action}: ${rows.length} points; ${ends(rows)}; ${missed.length} not got to again`,
    );
    // How often the VMM is asked may differ; what changes something may not.
    expect(missed.filter((point) => !/^(query|qom|x-query)/.test(point))).toEqual([]);
  });
});

function ends(rows: readonly Row[]): string {
  const counts = Map.groupBy(rows, ({ end }) => end);
  return [...counts].map(([end, of]) => `${end} ${of.length}`).join(', ');
}
