import { expect, test } from 'vitest';
import { productOf, runCases, withoutRepetitions } from './wire/product.ts';
import { startRealWireVm } from './wire/real-vm.ts';

const limits = { timeoutMs: 2000, vmmPatienceMs: 700 };
const lateMs = 1000;

test('every fault at every kind of message between vmplug and QEMU: records and VM agree, and nothing is left', async () => {
  await using vm = await startRealWireVm();
  const cases = withoutRepetitions(await productOf(vm, lateMs));
  expect(cases.length).toBeGreaterThan(300);
  const before = vm.descriptors();
  const { failures, ...tally } = await runCases([vm], cases, limits);
  console.log(`faults on the wire, QEMU: ${JSON.stringify(tally)}`);
  expect(failures).toEqual([]);
  expect(tally.reached).toBeGreaterThan(cases.length / 2);
  await expect.poll(() => vm.descriptors(), { timeout: 20_000 }).toBe(before);
}, 2_400_000);
