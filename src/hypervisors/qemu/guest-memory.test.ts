import { expect, test } from 'vitest';
import type { JsonValue } from '../../api/json.ts';
import { isMemoryShared, readGuestMemory } from './guest-memory.ts';
import { QomReader } from './qom-reader.ts';

const memdev = (id: string, share: boolean): JsonValue => ({ id, share, size: 1 });
const plugged = (type: string, memdevPath: string): JsonValue => ({
  type,
  data: { id: 'x', slot: 0, memdev: memdevPath },
});

/** The machine's own backend, all backends, memory devices; as QEMU 7.2 says them. */
const machines: [string, JsonValue, JsonValue[], JsonValue[], boolean][] = [
  ['-m alone', '/objects/pc.ram', [memdev('pc.ram', false)], [], false],
  ['-machine memory-backend=, shared', '/objects/m', [memdev('m', true)], [], true],
  ['-machine memory-backend=, private', '/objects/m', [memdev('m', false)], [], false],
  ['-numa node,memdev=, shared', '', [memdev('m', true)], [], true],
  ['two NUMA nodes, one private', '', [memdev('m', true), memdev('m2', false)], [], false],
  [
    'a shared backend that is not the memory',
    '/objects/pc.ram',
    [memdev('u', true), memdev('pc.ram', false)],
    [],
    false,
  ],
  [
    'a private nvdimm beside shared memory',
    '/objects/m',
    [memdev('m', true), memdev('n', false)],
    [plugged('nvdimm', '/objects/n')],
    true,
  ],
  [
    'a private nvdimm beside shared NUMA nodes',
    '',
    [memdev('m', true), memdev('n', false)],
    [plugged('nvdimm', '/objects/n')],
    true,
  ],
  [
    'a private DIMM added to shared memory',
    '/objects/m',
    [memdev('m', true), memdev('d', false)],
    [plugged('dimm', '/objects/d')],
    false,
  ],
  ['nothing listed', '', [], [], false],
];

test.each(machines)('%s', async (_, machine, memdevs, devices, shared) => {
  const replies: Record<string, JsonValue> = {
    'qom-get': machine,
    'query-memdev': memdevs,
    'query-memory-devices': devices,
  };
  const ask = new QomReader((commands) => commands.map(async ({ execute }) => replies[execute] ?? null), {
    timeoutMs: 100,
  });
  expect(isMemoryShared(await readGuestMemory(ask))).toBe(shared);
});
