import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { print, printTable } from './output.ts';

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

test('nothing that others have named changes the terminal, whoever prints it', () => {
  print('socket \u001b[2J/run/\u202evm\n  second line');
  expect(said).toBe('socket \\u001b[2J/run/\\u202evm\n  second line\n');
});

test('columns are as wide as their longest cell, and stay in their line', () => {
  printTable(
    ['A', 'B'],
    [
      ['long', 'x\ny'],
      ['s', 'z'],
    ],
  );
  expect(stripVTControlCharacters(said)).toBe('A     B\nlong  "x\\ny"\ns     z\n');
});
