import { expect, test } from 'vitest';
import { productOf, runCases, sampleOf, withoutRepetitions } from './wire/product.ts';
import { startRealWireVm } from './wire/real-vm.ts';

const limits = { timeoutMs: 2000, vmmPatienceMs: 700 };
const lateMs = 1000;

/** All of them take ten minutes: `VMPLUG_WIRE_FAULTS=all`. Otherwise two at each message, at every message others. */
const takesAll = process.env['VMPLUG_WIRE_FAULTS'] === 'all';

test('faults of every kind at each message between vmplug and QEMU: records and VM agree, and nothing is left', async () => {
  await using vm = await startRealWireVm();
  const product = withoutRepetitions(await productOf(vm, lateMs));
  const cases = takesAll ? product : sampleOf(product, 2);
  expect(product.length).toBeGreaterThan(300);
  const before = vm.descriptors();
  const { failures, ...tally } = await runCases([vm], cases, limits);
  console.log(`faults on the wire, QEMU: ${JSON.stringify(tally)}`);
  expect(failures).toEqual([]);
  expect(tally.reached).toBeGreaterThan(cases.length / 2);
  await expect.poll(() => vm.descriptors(), { timeout: 20_000 }).toBe(before);
}, 2_400_000);
