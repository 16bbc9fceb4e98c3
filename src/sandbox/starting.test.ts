import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SandboxRecord } from '../api/sandbox.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { hostSysfs } from '../host/vfio/host-sysfs.ts';
import { attachmentRecord, sandboxRecord } from '../store/records.testing.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { connectSandbox } from './connect.ts';
import { forgetSandbox } from './forget.ts';
import { lifeOf } from './life.ts';
import { clearUnstarted, keepStarting, withdraw } from './starting.ts';
import { stopSandbox } from './stop.ts';

/** As the identity of a process that was killed. */
const dead = { pid: 1, startTime: 'never' };
const limits = { timeoutMs: 2000 };
const gone = { code: 'vm-gone' };

let directory: string;
let store: SqliteStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-starting-'));
  store = SqliteStore.open(join(directory, 'state'));
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** The records of a start: durable before anything was done, with a device and its claim. */
function begun(more: Partial<SandboxRecord>): SandboxRecord {
  const own = join(directory, 'vm1');
  mkdirSync(own);
  const record: SandboxRecord = {
    ...sandboxRecord('vm1'),
    ...{ hypervisor: 'qemu', origin: 'run', directory: own, socket: join(own, 'qmp.sock') },
    ...more,
  };
  const attachment = { ...attachmentRecord('a'.repeat(16), 'vm1'), state: 'attaching' as const };
  store.write((tx) => {
    tx.putSandbox(record);
    tx.putAttachment(attachment);
    tx.claim(attachment.host.identities, attachment.id, 'vm1');
  });
  return record;
}

function expectNothingLeft(): void {
  const left = store.read((tx) => ({
    sandboxes: tx.sandboxes(),
    attachments: tx.attachments(),
    holders: tx.holders(`file:1:${'a'.repeat(16)}`),
  }));
  expect(left).toEqual({ sandboxes: [], attachments: [], holders: [] });
  expect(existsSync(join(directory, 'vm1'))).toBe(false);
}

describe.each([
  ['before QEMU was there', { starter: dead }],
  ['after QEMU was there, which ended', { starter: dead, process: dead }],
])('a start that was killed %s', (_, more) => {
  test('its VM has ended, and whoever wants to reach it is told so', async () => {
    const record = begun(more);
    expect(lifeOf(record)).toBe('ended');
    await expect(connectSandbox(record, limits)).rejects.toMatchObject({ ...gone, facts: { ended: true } });
  });

  test('stop removes it', async () => {
    await stopSandbox(store, begun(more), limits);
    expectNothingLeft();
  });

  test('forget removes it', () => {
    forgetSandbox(store, begun(more));
    expectNothingLeft();
  });

  test('the next start of that name removes it', async () => {
    begun(more);
    await clearUnstarted({ store, sysfs: hostSysfs }, 'vm1');
    expectNothingLeft();
  });
});

describe('a start that is under way', () => {
  test('is in nobody’s way, and nobody removes it', async () => {
    const record = begun({ starter: ownIdentity() });
    expect(lifeOf(record)).toBe('unknown');
    const busy = { code: 'operation-in-progress', subject: 'vm1' };
    await expect(connectSandbox(record, limits)).rejects.toMatchObject(busy);
    await expect(stopSandbox(store, record, limits)).rejects.toMatchObject(busy);
    expect(() => forgetSandbox(store, record)).toThrow(expect.objectContaining({ code: 'sandbox-in-use' }));
    await clearUnstarted({ store, sysfs: hostSysfs }, 'vm1');
    expect(store.read((tx) => tx.sandbox('vm1'))).toEqual(record);
    expect(existsSync(join(directory, 'vm1'))).toBe(true);
  });

  test('that fails is taken back whole', async () => {
    const record = begun({ starter: ownIdentity() });
    await withdraw({ store, sysfs: hostSysfs }, record, limits);
    expectNothingLeft();
  });

  test('that somebody has stopped meanwhile does not come back, nor take back what came after it', async () => {
    const record = begun({ starter: ownIdentity() });
    const next = { ...record, createdAt: record.createdAt + 1 };
    store.write((tx) => tx.deleteSandbox('vm1'));
    expect(() => keepStarting(store, record)).toThrow(expect.objectContaining(gone));
    store.write((tx) => tx.putSandbox(next));
    expect(() => keepStarting(store, record)).toThrow(expect.objectContaining(gone));
    await withdraw({ store, sysfs: hostSysfs }, record, limits);
    expect(store.read((tx) => tx.sandbox('vm1'))).toEqual(next);
  });
});

test('a sandbox that has been started, and one that was adopted, are not taken for a start', async () => {
  const record = begun({ process: dead });
  await clearUnstarted({ store, sysfs: hostSysfs }, 'vm1');
  expect(store.read((tx) => tx.sandbox('vm1'))).toEqual(record);
  expect(lifeOf(sandboxRecord('vm2'))).toBe('unknown');
});
