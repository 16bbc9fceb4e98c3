import { expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';
import { backEndConnection } from './back-end-connection.ts';
import { readGuestNames } from './guest-names.ts';
import type { Batch } from './qom-reader.ts';

const limits = { timeoutMs: 100 };

/** Answers by command and path; what it has no answer to is refused. */
function script(replies: Readonly<Record<string, JsonValue>>, asked: string[] = []): Batch {
  return (commands) =>
    commands.map(async ({ execute, arguments: given = {} }) => {
      const of = ['path', 'property'].map((name) => given[name]).filter((part) => typeof part === 'string');
      const question = [execute, ...of].join(' ');
      asked.push(question);
      const reply = replies[question];
      if (reply !== undefined) return reply;
      throw new VmplugError('vmm-refused', { action: 'ask', subject: question, reason: 'no' });
    });
}

const chardevs = (filename: string): Batch =>
  script({
    'query-chardev': [
      { label: 'serial0', filename: 'disconnected:unix:/run/serial,server=on', 'frontend-open': true },
      { label: 'vmplug-1-1', filename, 'frontend-open': true },
    ],
  });

test.each([
  // QEMU 7.2 and 10.0.
  ['unix:', 'connected'],
  ['unix:/run/s', 'connected'],
  ['disconnected:unix:/run/s', 'lost'],
])('a character device that is %s is %s', async (filename, expected) => {
  for (const model of ['vhost-user-blk-pci', 'vhost-user-scsi-pci', 'vhost-user-fs-pci', 'virtio-net-pci'])
    expect(await backEndConnection(chardevs(filename), 'vmplug-1-1', model, limits), model).toBe(expected);
});

test('a device without such a connection has none, and of a disk it is not even asked', async () => {
  expect(await backEndConnection(chardevs('unix:'), 'net0', 'virtio-net-pci', limits)).toBeUndefined();
  const asked: string[] = [];
  expect(await backEndConnection(script({}, asked), 'd', 'virtio-blk-pci', limits)).toBeUndefined();
  expect(asked).toEqual([]);
});

test('the names of all devices, also of those without an id; disks and ports are not asked', async () => {
  const asked: string[] = [];
  const batch = script(
    {
      'qom-list /machine/peripheral': [
        { name: 'type', type: 'string' },
        { name: 'rp0', type: 'child<pcie-root-port>' },
        { name: 'fs1', type: 'child<vhost-user-fs-pci>' },
        { name: 'd1', type: 'child<virtio-blk-pci>' },
      ],
      'qom-list /machine/peripheral-anon': [{ name: 'device[0]', type: 'child<e1000e>' }],
      'qom-get /machine/peripheral/fs1 tag': 'data',
      'qom-get /machine/peripheral-anon/device[0] mac': '52:54:00:AA:BB:CC',
    },
    asked,
  );
  expect(await readGuestNames(batch, limits)).toEqual({
    tags: new Map([['data', 'fs1']]),
    macs: new Map([['52:54:00:aa:bb:cc', 'device[0]']]),
  });
  expect(asked.filter((question) => question.startsWith('qom-get'))).toHaveLength(2);
});
