import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimModes, type ClaimMode } from '../api/host-device.ts';
import { attachmentRecord, sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

let directory: string;
let store: SqliteStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
  store = SqliteStore.open(directory);
  store.write((tx) => {
    for (const name of ['vm1', 'vm2']) {
      tx.putSandbox(sandboxRecord(name));
      for (const number of [1, 2]) tx.putAttachment(attachmentRecord(`${name}-${number}`, name));
    }
  });
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

const pairs = claimModes.flatMap((held) => claimModes.map((wanted) => [held, wanted] as const));

test.each(pairs)('pain 33: %s is held and %s is wanted', (held, wanted) => {
  store.write((tx) => tx.claim([{ key: 'k', mode: held }], 'vm1-1', 'vm1'));
  const claim = (): void => store.write((tx) => tx.claim([{ key: 'k', mode: wanted }], 'vm2-1', 'vm2'));
  const check = (): void => store.read((tx) => tx.checkClaim({ key: 'k', mode: wanted }, 'vm2-1', 'vm2'));
  if (held === wanted && held !== 'exclusive') {
    check();
    claim();
    expect(store.read((tx) => tx.holders('k').map(({ device }) => device))).toEqual(['vm1-1', 'vm2-1']);
    return;
  }
  const error: unknown = expect.objectContaining({
    code: 'claimed-elsewhere',
    facts: { holder: 'vm1', device: 'vm1-1', mode: held },
  });
  expect(check).toThrow(error);
  expect(claim).toThrow(error);
  expect(store.read((tx) => tx.holders('k'))).toHaveLength(1);
});

test('an id of another sandbox’s attachment is refused, and that attachment is left alone', () => {
  const before = store.read((tx) => tx.attachments());
  expect(() => store.write((tx) => tx.putAttachment(attachmentRecord('vm1-1', 'vm2')))).toThrow(
    expect.objectContaining({ code: 'claimed-elsewhere', subject: 'vm1-1' }),
  );
  expect(store.read((tx) => tx.attachments())).toEqual(before);
});

test('a clash within a sandbox says so', () => {
  store.write((tx) => tx.claim([{ key: 'k', mode: 'exclusive' }], 'vm1-1', 'vm1'));
  expect(() => store.write((tx) => tx.claim([{ key: 'k', mode: 'exclusive' }], 'vm1-2', 'vm1'))).toThrow(
    expect.objectContaining({
      code: 'already-attached',
      facts: expect.objectContaining({ device: 'vm1-1' }),
    }),
  );
});

test('all identities are claimed or none, even when the caller goes on after the refusal', () => {
  store.write((tx) => tx.claim([{ key: 'b', mode: 'exclusive' }], 'vm1-1', 'vm1'));
  store.write((tx) => {
    const wanted = ['a', 'b', 'c'].map((key) => ({ key, mode: 'exclusive' as const }));
    expect(() => tx.claim(wanted, 'vm2-1', 'vm2')).toThrow();
  });
  expect(store.read((tx) => ['a', 'b', 'c'].map((key) => tx.holders(key).length))).toEqual([0, 1, 0]);
});

test('the same device may claim again, and its last word counts', () => {
  const claim = (mode: ClaimMode, device = 'vm1-1', sandbox = 'vm1'): void =>
    store.write((tx) => tx.claim([{ key: 'k', mode }], device, sandbox));
  claim('shared-read');
  claim('shared-read');
  claim('exclusive');
  expect(store.read((tx) => tx.holders('k'))).toMatchObject([{ device: 'vm1-1', mode: 'exclusive' }]);
  expect(() => claim('shared-read', 'vm2-1', 'vm2')).toThrow(
    expect.objectContaining({ code: 'claimed-elsewhere' }),
  );
});

test('a claim needs a device that is known', () => {
  expect(() => store.write((tx) => tx.claim([{ key: 'k', mode: 'exclusive' }], 'nobody', 'vm1'))).toThrow(
    expect.objectContaining({ code: 'state-unavailable' }),
  );
});
