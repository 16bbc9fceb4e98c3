import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LeaseRecord } from '../api/lease.ts';
import { attachmentRecord, sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const lease: LeaseRecord = {
  group: '12',
  device: 'd1',
  sandbox: 'vm1',
  boot: 'b',
  functions: [{ address: '0000:04:00.0', driver: 'nvme', override: null }],
};

test('a lease outlives its attachment and its sandbox, and the process that wrote it', () => {
  {
    using store = SqliteStore.open(directory);
    store.write((tx) => {
      tx.putSandbox(sandboxRecord('vm1'));
      tx.putAttachment(attachmentRecord('d1', 'vm1'));
      tx.putLease(lease);
    });
    expect(store.read((tx) => [tx.leases(), tx.freedLeases()])).toEqual([[lease], []]);
    store.write((tx) => tx.deleteAttachment('d1'));
    expect(store.read((tx) => tx.freedLeases())).toEqual([lease]);
    store.write((tx) => tx.deleteSandbox('vm1'));
  }
  using store = SqliteStore.open(directory);
  expect(store.read((tx) => [tx.leases(), tx.freedLeases()])).toEqual([[lease], [lease]]);
  store.write((tx) => tx.deleteLease('12'));
  expect(store.read((tx) => tx.leases())).toEqual([]);
});

test('a group has one lease: another one replaces it', () => {
  using store = SqliteStore.open(directory);
  const error = { code: 'outcome-unknown', message: 'words' };
  store.write((tx) => {
    tx.putLease(lease);
    tx.putLease({ ...lease, group: '3', device: 'd2' });
    tx.putLease({ ...lease, device: 'd3', error });
  });
  expect(store.read((tx) => tx.leases())).toEqual([
    { ...lease, device: 'd3', error },
    { ...lease, group: '3', device: 'd2' },
  ]);
});
