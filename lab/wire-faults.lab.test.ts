import { expect, test } from 'vitest';
import { productOf, runCases, sampleOf, withoutRepetitions } from './wire/product.ts';
import { startRealWireVm } from './wire/real-vm.ts';

const limits = { timeoutMs: 2000, vmmPatienceMs: 700 };
const lateMs = 1000;

test('a fault at each message between vmplug and QEMU: records and VM agree, and nothing is left', async () => {
  await using vm = await startRealWireVm();
  const cases = sampleOf(withoutRepetitions(await productOf(vm, lateMs)), 1);
  expect(cases.length).toBeGreaterThan(50);
  const before = vm.descriptors();
  const { failures, ...tally } = await runCases([vm], cases, limits);
  expect(failures).toEqual([]);
  expect(tally.reached).toBeGreaterThan(cases.length / 2);
  expect(tally.outcomes).toMatchObject({
    'attach done': expect.any(Number),
    'detach done': expect.any(Number),
  });
  await expect.poll(() => vm.descriptors(), { timeout: 20_000 }).toBe(before);
}, 600_000);
