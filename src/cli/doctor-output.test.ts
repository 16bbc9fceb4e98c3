import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { person, repairs, type Finding } from '../manager/doctor/finding.ts';
import { printFindings } from './doctor-output.ts';

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const vanished: Finding = {
  problem: 'vanished',
  sandbox: 'vm1',
  device: 'abc',
  what: 'the VM no longer has it',
  why: 'the guest let go',
  remedy: 'its claim is freed',
  plan: [repairs('free its claim'), person('look into the guest')],
  truths: { recorded: 'attached', vmm: 'does not have it' },
  repaired: false,
};

test('differences as a table, and the plan in order, with who does what', () => {
  printFindings([vanished], false);
  expect(said).toMatch(/vm1 +abc +vanished +- +attached +does not have it +- +no/);
  expect(said).toContain('why: the guest let go');
  expect(said).toContain('1. would: vm1 abc: free its claim\n2. you: vm1 abc: look into the guest\n');
  expect(said).toContain('--repair');
});

test('after a repair: what was done, and what was not', () => {
  printFindings([{ ...vanished, repaired: true }, vanished], true);
  expect(said).toContain('1. done: vm1 abc: free its claim');
  expect(said).toContain('3. not done: vm1 abc: free its claim');
});

test('a note is no difference; words of others do not reach the terminal raw', () => {
  const { plan: _, ...rest } = vanished;
  printFindings([{ ...rest, problem: 'foreign-device', what: 'x\u001b[2J', isNote: true }], false);
  expect(said).toContain('all is well');
  expect(said).not.toContain('\u001b[2J');
  expect(said).not.toContain('plan:');
});
