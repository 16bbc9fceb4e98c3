import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SandboxRecord } from '../api/sandbox.ts';
import {
  startScriptedQmp,
  type ScriptedPeer,
  type ScriptedQmp,
} from '../hypervisors/qemu/qmp/scripted-peer.testing.ts';
import { Connections } from './connections.ts';

let server: ScriptedQmp;
let connections: Connections;
let sandbox: SandboxRecord;
let greets: (peer: ScriptedPeer) => void;
beforeEach(async () => {
  greets = (peer) => peer.greet();
  server = await startScriptedQmp({
    onConnect: (peer) => greets(peer),
    onCommand: () => [{ 'cpu-index': 0, 'thread-id': 42 }],
  });
  connections = new Connections(50);
  sandbox = {
    name: 'vm1',
    hypervisor: 'qemu',
    socket: server.path,
    origin: 'adopted',
    facts: { type: 'qemu', version: '7.2.22', machine: 'q35', features: ['probe:2'], thread: 42 },
    createdAt: 1,
  };
});
afterEach(async () => {
  await connections[Symbol.asyncDispose]();
  await server.close();
});

const use = (timeoutMs: number, signal?: AbortSignal): Promise<string> =>
  connections.use(sandbox, signal === undefined ? { timeoutMs } : { timeoutMs, signal }, (hypervisor) =>
    Promise.resolve(hypervisor.facts.version),
  );

test.each(['given up', 'out of time'])('one whose caller is %s takes nothing from another', async (how) => {
  const silent = Promise.withResolvers<void>();
  greets = () => silent.resolve();
  const giveUp = new AbortController();
  const first = use(how === 'out of time' ? 200 : 20_000, giveUp.signal);
  const second = use(20_000);
  first.catch(() => undefined);
  await silent.promise;
  greets = (peer) => peer.greet();
  if (how === 'given up') giveUp.abort();
  await expect(first).rejects.toMatchObject({ code: how === 'given up' ? 'aborted' : 'monitor-busy' });
  expect(await second).toBe('7.2.22');
});

test('one that comes second waits no longer than it would itself', async () => {
  greets = () => undefined;
  const giveUp = new AbortController();
  const first = use(20_000, giveUp.signal);
  await expect(use(100)).rejects.toMatchObject({ code: 'monitor-busy' });
  const own = new AbortController();
  const third = use(20_000, own.signal);
  own.abort();
  await expect(third).rejects.toMatchObject({ code: 'aborted' });
  giveUp.abort();
  await expect(first).rejects.toMatchObject({ code: 'aborted' });
});

test('a VM that cannot be reached is tried once for all who wait', async () => {
  let tries = 0;
  greets = (peer) => {
    tries += 1;
    peer.end();
  };
  const ends = await Promise.allSettled([use(20_000), use(20_000), use(20_000)]);
  expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(tries).toBe(1);
});
