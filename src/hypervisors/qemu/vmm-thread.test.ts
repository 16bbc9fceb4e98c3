import { afterEach, beforeEach, expect, test } from 'vitest';
import type { VmmFacts } from '../../api/hypervisor.ts';
import { QemuHypervisor } from './qemu-hypervisor.ts';
import { startScriptedQmp, type ScriptedQmp } from './qmp/scripted-peer.testing.ts';

const limits = { timeoutMs: 10_000 };
const kept: VmmFacts = { type: 'qemu', version: '7.2.22', machine: 'pc', features: ['probe:2'], thread: 41 };

let server: ScriptedQmp;
let thread: number | undefined;
let asked: string[];

beforeEach(async () => {
  asked = [];
  thread = 41;
  server = await startScriptedQmp({
    onCommand: ({ execute }) => {
      asked.push(execute);
      if (execute === 'sync') return {};
      if (execute !== 'query-cpus-fast' || thread === undefined) return undefined;
      return [
        { 'cpu-index': 1, 'thread-id': 77 },
        { 'cpu-index': 0, 'thread-id': thread },
      ];
    },
  });
});
afterEach(() => server.close());

const sync = (hypervisor: QemuHypervisor): Promise<unknown> =>
  Promise.all(hypervisor.submit([{ execute: 'sync' }], limits));

test('the VM that is known by its first CPU is asked on, before and after a loss', async () => {
  await using hypervisor = await QemuHypervisor.connect(server.path, { ...limits, facts: kept });
  await sync(hypervisor);
  await hypervisor.giveWay();
  await sync(hypervisor);
  expect(asked).toEqual(['query-cpus-fast', 'sync', 'query-cpus-fast', 'sync']);
  expect(hypervisor.facts).toEqual(kept);
});

test('another one is refused before it is asked anything else', async () => {
  thread = 42;
  await expect(QemuHypervisor.connect(server.path, { ...limits, facts: kept })).rejects.toMatchObject({
    code: 'vm-replaced',
    facts: { expected: 41, thread: 42 },
  });
  expect(asked).toEqual(['query-cpus-fast']);
});

test('also where it took over between two connections', async () => {
  await using hypervisor = await QemuHypervisor.connect(server.path, { ...limits, facts: kept });
  await hypervisor.giveWay();
  thread = 42;
  await expect(sync(hypervisor)).rejects.toMatchObject({ code: 'vm-replaced' });
  expect(asked).toEqual(['query-cpus-fast', 'query-cpus-fast']);
});

test('a VM of which that is not known is not asked', async () => {
  const { thread: _, ...facts } = kept;
  await using hypervisor = await QemuHypervisor.connect(server.path, { ...limits, facts });
  await sync(hypervisor);
  expect(asked).toEqual(['sync']);
});
