import { expect, test } from 'vitest';
import { productOf, runCases } from './product.ts';
import { startSimulatedVms } from './simulated-vms.ts';

const limits = { timeoutMs: 1000, vmmPatienceMs: 600 };
const lateMs = 1000;

test('every fault at every message of attach and detach: records and VM agree, and nothing is left', async () => {
  await using simulated = await startSimulatedVms(16);
  const [first] = simulated.vms;
  if (first === undefined) throw new Error('no VM');
  const cases = await productOf(first, lateMs);
  expect(cases.length).toBeGreaterThan(1000);
  const { failures, ...tally } = await runCases(simulated.vms, cases, limits);
  console.log(`faults on the wire, simulated: ${JSON.stringify(tally)}`);
  expect(failures).toEqual([]);
  expect(tally.reached).toBeGreaterThan(cases.length / 2);
}, 1_200_000);
