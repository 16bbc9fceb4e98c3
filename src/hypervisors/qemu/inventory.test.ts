import { expect, test } from 'vitest';
import type { JsonValue } from '../../api/json.ts';
import type { Batch } from './qom-reader.ts';
import { readInventory } from './inventory.ts';

const objects: Record<string, JsonValue> = {
  '/machine/peripheral': [
    { name: 'type', type: 'string' },
    { name: 'd0', type: 'child<nvdimm>' },
  ],
  '/objects': [
    { name: 'type', type: 'string' },
    { name: 'pc.ram', type: 'child<memory-backend-ram>' },
    { name: 'd0', type: 'child<memory-backend-file>' },
  ],
};

test('devices; block nodes, objects and character devices as back ends', async () => {
  const batch: Batch = (commands) =>
    commands.map(async ({ execute, arguments: args }) => {
      if (execute === 'query-named-block-nodes') return [{ 'node-name': 'n0' }, {}];
      if (execute === 'query-chardev') return [{ label: 'c0', filename: 'unix:', 'frontend-open': true }];
      const path = args?.['path'];
      return (typeof path === 'string' ? objects[path] : undefined) ?? null;
    });
  expect(await readInventory(batch, { timeoutMs: 100 })).toEqual({
    devices: ['d0'],
    backends: ['n0', 'pc.ram', 'd0', 'c0'],
  });
});
