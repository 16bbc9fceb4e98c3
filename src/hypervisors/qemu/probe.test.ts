import { expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';
import { isCurrent, probe } from './probe.ts';
import type { Batch } from './qom-reader.ts';

const version = (major: number): JsonValue => ({ qemu: { major, minor: 2, micro: 0 }, package: '' });
const replies = (change: Record<string, JsonValue>): Record<string, JsonValue> => ({
  'query-version': version(7),
  'query-qmp-schema': [{ name: 'blockdev-add', 'meta-type': 'command' }],
  'qom-list-types': [{ name: 'virtio-blk-ccw' }, { name: 'e1000' }],
  'qom-get type': 's390-ccw-virtio-7.2-machine',
  'qom-get memory-backend': '/objects/ram',
  'query-memdev': [{ id: 'ram', share: false }],
  'query-memory-devices': [],
  'query-kvm': { enabled: true, present: true },
  'device-list-properties virtio-blk-ccw': [{ name: 'serial' }, { name: 'devno' }],
  ...change,
});

function answering(known: Record<string, JsonValue>, batches: number[] = []): Batch {
  return (commands) => {
    batches.push(commands.length);
    return commands.map(async ({ execute, arguments: args = {} }) => {
      const of = args['property'] ?? args['typename'];
      const key = typeof of === 'string' ? `${execute} ${of}` : execute;
      const reply = known[key];
      if (reply !== undefined) return reply;
      throw new VmplugError('vmm-refused', { action: 'ask', subject: key, reason: 'no' });
    });
  };
}

const featuresWith = async (change: Record<string, JsonValue>): Promise<readonly string[]> =>
  (await probe(answering(replies(change)), { timeoutMs: 100 })).features;

test('everything is asked in one go; what this QEMU lacks is left out', async () => {
  const batches: number[] = [];
  const facts = await probe(answering(replies({}), batches), { timeoutMs: 100 });
  expect(facts).toMatchObject({ type: 'qemu', version: '7.2.0', machine: 's390-ccw-virtio-7.2' });
  expect(facts.features.toSorted()).toEqual([
    'command:blockdev-add',
    'device:virtio-blk-ccw',
    'probe:2',
    'property:virtio-blk-ccw.serial',
  ]);
  expect(batches).toHaveLength(1);
});

test('whether the memory is shared', async () => {
  expect(await featuresWith({})).not.toContain('memory:shared');
  expect(await featuresWith({ 'query-memdev': [{ id: 'ram', share: true }] })).toContain('memory:shared');
});

test('vhost-user NICs have to do without MSI-X where there is no KVM, on versions with the fault', async () => {
  const quirk = 'quirk:vhost-user-net-without-msix';
  const tcg = { 'query-kvm': { enabled: false, present: true } };
  expect(await featuresWith({})).not.toContain(quirk);
  expect(await featuresWith(tcg)).toContain(quirk);
  expect(await featuresWith({ ...tcg, 'query-version': version(10) })).not.toContain(quirk);
});

test('answers of a probe that asked less are told from those of this one', async () => {
  const facts = await probe(answering(replies({})), { timeoutMs: 100 });
  expect(isCurrent(facts)).toBe(true);
  expect(isCurrent({ ...facts, features: ['device:virtio-blk-pci'] })).toBe(false);
});
