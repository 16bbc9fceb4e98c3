import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addedSyncs } from '../bench/fsyncs/count.ts';
import { ensurePackages, testPackages } from './setup/packages.ts';

/** What durability costs: how often the state's log is brought to disk, as strace sees it. */
let directory: string;
beforeAll(async () => {
  await ensurePackages(testPackages);
  directory = mkdtempSync(join(tmpdir(), 'vmplug-fsyncs-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('an attach brings the state to disk once, before it sends anything, and so does a detach', () => {
  expect(addedSyncs(directory, 'sequential', 16)).toEqual({ operations: 16, attach: 16, detach: 16 });
});

test('64 at once share what is brought to disk', () => {
  const { attach, detach } = addedSyncs(directory, 'concurrent', 64);
  expect(attach).toBeGreaterThan(0);
  expect(attach).toBeLessThanOrEqual(16);
  expect(detach).toBeGreaterThan(0);
  expect(detach).toBeLessThanOrEqual(16);
});
