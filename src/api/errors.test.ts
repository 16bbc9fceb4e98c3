import { describe, expect, test } from 'vitest';
import { errorCodes } from './error-codes.ts';
import type * as errors from './errors.ts';
import {
  ErrDeviceNotAttached,
  ErrDeviceNotExist,
  ErrIDExhausted,
  ErrRemoveAttachedDevice,
  hasCode,
  quoted,
  VmplugError,
} from './errors.ts';

const details = { action: 'attach', subject: '/images/a', reason: 'no' };

test('says what was done to what and why it failed; the rest is for programs', () => {
  const cause = new Error('below');
  const error = new VmplugError('vmm-refused', {
    ...details,
    hint: 'do this',
    cause,
    facts: { holder: 'vm2' },
  });
  expect(error.message).toBe('attach "/images/a": no');
  expect(error).toMatchObject({ name: 'VmplugError', code: 'vmm-refused', hint: 'do this', exitCode: 5 });
  expect(error.cause).toBe(cause);
  expect(error.facts).toEqual({ holder: 'vm2' });
  expect(new VmplugError('aborted', details).facts).toEqual({});
  expect('cause' in new VmplugError('aborted', details)).toBe(false);
});

test('is recognised across copies of the package, by its code too', async () => {
  const specifier = ['./errors.ts', 'copy'].join('?');
  const copy = (await import(specifier)) as typeof errors;
  expect(copy.VmplugError).not.toBe(VmplugError);
  const theirs: unknown = new copy.VmplugError('aborted', details);
  expect(theirs).toBeInstanceOf(VmplugError);
  expect(hasCode(theirs, 'aborted', 'internal-error')).toBe(true);
  expect(hasCode(theirs, 'internal-error')).toBe(false);
});

test.each([
  [new Error('x')],
  [undefined],
  [null],
  ['VmplugError'],
  [{ code: 'aborted', name: 'VmplugError' }],
])('%s is none of ours', (value) => {
  expect(value instanceof VmplugError).toBe(false);
  expect(hasCode(value, 'aborted')).toBe(false);
});

test('every code has an exit code of its kind and a meaning', () => {
  for (const [code, { exitCode, meaning }] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(exitCode).toBeGreaterThan(0);
    expect(meaning).not.toBe('');
  }
});

test("v1's four errors that callers compare are four different codes", () => {
  const codes = [ErrIDExhausted, ErrDeviceNotExist, ErrDeviceNotAttached, ErrRemoveAttachedDevice];
  expect(new Set(codes).size).toBe(4);
});

describe('quoting', () => {
  test('10,000 characters are cut to a readable length, which is said', () => {
    const shown = quoted('x'.repeat(10_000));
    expect(shown.length).toBeLessThan(220);
    expect(shown).toContain('(10000 characters)');
    expect(
      new VmplugError('aborted', { ...details, subject: 'x'.repeat(10_000) }).message.length,
    ).toBeLessThan(250);
  });

  test('200 characters are shown whole', () => expect(quoted('x'.repeat(200))).toBe(`"${'x'.repeat(200)}"`));

  test('nothing in it can steer a terminal, end the quote or break the line', () => {
    const shown = quoted('a"b\\c\n\u001B[31m\u0007\u202Ed\u0085\u2028');
    expect(shown).toMatch(/^"[\x20-\x7E]*"$/);
    expect(shown).toContain('a\\"b\\\\c\\n');
  });

  test('a character of two halves is not cut in two', () => {
    const shown = quoted(`${'x'.repeat(159)}${'😀'.repeat(100)}`);
    expect(shown.isWellFormed()).toBe(true);
    expect(shown).not.toMatch(/\\ud[89a-f]/i);
  });
});
