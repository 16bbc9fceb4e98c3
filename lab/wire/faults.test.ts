import { expect, test } from 'vitest';
import { productOf, runCases, sampleOf, withoutRepetitions } from './product.ts';
import { startSimulatedVms } from './simulated-vms.ts';

const limits = { timeoutMs: 600, vmmPatienceMs: 400 };
const lateMs = 600;

test('a fault at each message of attach and detach: records and VM agree, and nothing is left', async () => {
  await using simulated = await startSimulatedVms(12);
  const [first] = simulated.vms;
  if (first === undefined) throw new Error('no VM');
  const cases = sampleOf(withoutRepetitions(await productOf(first, lateMs)), 1);
  expect(cases.length).toBeGreaterThan(50);
  const tally = await runCases(simulated.vms, cases, limits);
  expect(tally.failures).toEqual([]);
  // On a busy host what comes before the fault may be too slow already.
  expect(tally.reached).toBeGreaterThan(cases.length / 2);
  expect(tally.outcomes).toMatchObject({
    'attach done': expect.any(Number),
    'attach outcome-unknown': expect.any(Number),
    'detach done': expect.any(Number),
  });
}, 120_000);
