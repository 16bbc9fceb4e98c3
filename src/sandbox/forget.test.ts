import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SandboxRecord } from '../api/sandbox.ts';
import { ownIdentity } from '../host/process-identity.ts';
import { startScriptedQmp, type ScriptedQmp } from '../hypervisors/qemu/qmp/scripted-peer.testing.ts';
import { attachmentRecord } from '../store/records.testing.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { forgetSandbox, forgetUnseen } from './forget.ts';

const limits = { timeoutMs: 5000 };
const lease = { group: '12', functions: [], device: 'd1', sandbox: 'vm1', boot: 'b' };

let directory: string;
let store: SqliteStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-forget-'));
  store = SqliteStore.open(directory);
});
afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** An adopted sandbox with two devices and a lease, of which only the socket is known. */
function adopted(socket: string, more: Partial<SandboxRecord> = {}): SandboxRecord {
  const sandbox: SandboxRecord = {
    name: 'vm1',
    hypervisor: 'qemu',
    socket,
    origin: 'adopted',
    facts: { type: 'qemu', version: '7.2.22', machine: 'q35', features: ['probe:2'], thread: 41 },
    createdAt: 1,
    ...more,
  };
  store.write((tx) => {
    tx.putSandbox(sandbox);
    for (const id of ['d1', 'd2']) {
      const attachment = attachmentRecord(id, 'vm1');
      tx.putAttachment(attachment);
      tx.claim(attachment.host.identities, id, 'vm1');
    }
    tx.putLease(lease);
  });
  return sandbox;
}

const records = (): unknown =>
  store.read((tx) => [tx.sandboxes(), tx.attachments(), tx.holders('file:1:d1'), tx.leases()]);

/** Records without the sandbox; the lease outlives it. */
const forgotten = (left: object): unknown => [[], [], [], [left]];

describe('a VM that cannot be reached, and whose process nobody knows', () => {
  const unreachable = (): SandboxRecord => adopted(join(directory, 'no-socket'));

  test('is not forgotten while it has devices; the error names the flag and what it means', () => {
    const sandbox = unreachable();
    const before = records();
    expect(() => forgetSandbox(store, sandbox)).toThrow(
      expect.objectContaining({
        code: 'sandbox-in-use',
        facts: { devices: 2 },
        hint: expect.stringMatching(/vmplug sandbox forget vm1 --force.*may still use/),
      }),
    );
    expect(records()).toEqual(before);
  });

  test('is forgotten by force: what may still be in use is said, and its group is not given back unasked', async () => {
    const left = await forgetUnseen(store, unreachable(), limits);
    expect(left.map(({ id }) => id)).toEqual(['d1', 'd2']);
    expect(records()).toEqual(forgotten({ ...lease, unseen: true }));
  });

  test('where its socket is no socket any more, too', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, '');
    expect(await forgetUnseen(store, adopted(path), limits)).toHaveLength(2);
  });
});

describe('force is refused, and nothing is changed,', () => {
  async function expectRefused(sandbox: SandboxRecord, code: string): Promise<void> {
    const before = records();
    await expect(forgetUnseen(store, sandbox, { timeoutMs: 300 })).rejects.toMatchObject({
      code,
      hint: expect.not.stringContaining('--force'),
    });
    expect(records()).toEqual(before);
  }

  test('where its process runs', async () => {
    await expectRefused(adopted(join(directory, 'no'), { process: ownIdentity() }), 'sandbox-in-use');
  });

  test('while it is being started', async () => {
    await expectRefused(
      adopted(join(directory, 'no'), { starter: ownIdentity(), origin: 'run' }),
      'operation-in-progress',
    );
  });

  test('where somebody has the socket and says nothing', async () => {
    const path = join(directory, 'silent');
    const server = createServer().listen(path);
    await once(server, 'listening');
    try {
      await expectRefused(adopted(path), 'monitor-busy');
    } finally {
      server.close();
    }
  });
});

describe('a socket that answers', () => {
  let server: ScriptedQmp;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    server = await startScriptedQmp({
      onCommand: ({ execute }) => {
        asked.push(execute);
        return execute === 'query-cpus-fast' ? [{ 'cpu-index': 0, 'thread-id': 41 }] : {};
      },
    });
  });
  afterEach(async () => server.close());

  test('is that of the VM: then it is asked to let go, not forgotten', async () => {
    const sandbox = adopted(server.path);
    const before = records();
    await expect(forgetUnseen(store, sandbox, limits)).rejects.toMatchObject({
      code: 'sandbox-in-use',
      reason: expect.stringContaining('answers'),
    });
    expect(records()).toEqual(before);
  });

  test('is that of another VM by now: that one is asked only who it is', async () => {
    const sandbox = adopted(server.path);
    const facts = { ...sandbox.facts, thread: 99 };
    expect(await forgetUnseen(store, { ...sandbox, facts }, limits)).toHaveLength(2);
    expect(asked).toEqual(['query-cpus-fast']);
  });
});

test('where nobody listens any more the VM has ended: nothing of it can be in use', async () => {
  const path = join(directory, 'left');
  const server = createServer().listen(join(directory, 'bound'));
  await once(server, 'listening');
  // A second name keeps the socket's file when its listener goes, as that of a QEMU that was killed.
  linkSync(join(directory, 'bound'), path);
  server.close();
  await once(server, 'close');
  expect(await forgetUnseen(store, adopted(path), limits)).toEqual([]);
  expect(records()).toEqual(forgotten(lease));
});

test('a VM that was given the name meanwhile is not forgotten, and keeps its directory', async () => {
  const held = join(directory, 'vm1');
  const former = adopted(join(directory, 'no-socket'), { directory: held });
  store.write((tx) => tx.deleteSandbox('vm1'));
  const present = adopted(join(directory, 'no-socket'), { directory: held, createdAt: 2 });
  mkdirSync(held);
  const before = records();
  forgetSandbox(store, { ...former, process: { pid: 1, startTime: 'x' } });
  expect(await forgetUnseen(store, former, limits)).toEqual([]);
  expect(records()).toEqual(before);
  expect(store.read((tx) => tx.sandbox('vm1'))).toEqual(present);
  expect(existsSync(held)).toBe(true);
});
