import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyContainerState, anySandboxState } from './documents.testing.ts';
import { printKeptDocument, readKeptDocument } from './kept-document.ts';
import { printSandboxState } from './print.ts';
import { readSandboxState } from './read.ts';

test('any documents of a sandbox come back from the store as they were', () => {
  fc.assert(
    fc.property(
      anySandboxState,
      fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), anyContainerState, { maxKeys: 3 }),
      (state, containers) => {
        const sandbox = readSandboxState(Buffer.from(printSandboxState(state)), 'f');
        const kept = printKeptDocument({ sandbox, containers });
        expect(readKeptDocument(kept, 'vm1')).toEqual({ sandbox, containers });
      },
    ),
  );
});

test('what was damaged in the store is refused by name', () => {
  expect(() => readKeptDocument('{"sandbox":{"State":1}}', 'vm1')).toThrow(
    expect.objectContaining({
      code: 'invalid-state',
      subject: 'the kept v1 state of vm1',
      facts: expect.objectContaining({ path: '$.sandbox.State' }),
    }),
  );
});
