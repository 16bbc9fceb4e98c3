import { describe, expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { ObserveOptions, VmmFacts } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Place } from '../../api/place.ts';
import type { Batch } from './qom-reader.ts';
import { observe } from './observe.ts';

const facts = (...features: string[]): VmmFacts => ({
  type: 'qemu',
  version: '7.2.22',
  machine: 'pc-q35-7.2',
  features,
});
const withStatus = facts('command:x-query-virtio-status');
const pci: Place = { transport: 'pci', bus: 'p0', slot: 0, path: ['02', '00'], unplug: 'acpi' };
const scsi: Place = {
  transport: 'scsi',
  bus: 'scsi0.0',
  channel: 0,
  scsiId: 0,
  lun: 1,
  controller: 'scsi0',
  unplug: 'immediate',
};

const disk: JsonValue = 'virtio-blk-pci';
const ccw: Place = { transport: 'ccw', bus: 'virtual-css', devno: 'fe.0.0005', unplug: 'immediate' };
const tree = (id: string, address: number | bigint): JsonValue => [
  {
    bus: 0,
    devices: [
      {
        bus: 0,
        slot: 2,
        function: 0,
        qdev_id: 'p0',
        regions: [],
        pci_bridge: {
          bus: { secondary: 1 },
          devices: [
            { bus: 1, slot: 0, function: 0, qdev_id: id, regions: [{ bar: 4, size: 16384, address }] },
          ],
        },
      },
    ],
  },
];
const virtio = (...statuses: string[]): JsonValue => ({ status: { statuses } });
const driverOk = virtio(
  'VIRTIO_CONFIG_S_ACKNOWLEDGE: x',
  'VIRTIO_CONFIG_S_DRIVER_OK: Driver setup and ready',
);
const reads = (qdev: string, count: number): JsonValue => [
  { qdev, stats: { rd_operations: count } },
  { stats: { rd_operations: 9 } },
];

/** Answers by command; what it has no answer to is refused. */
function script(replies: Record<string, JsonValue>, asked: string[] = []): Batch {
  return (commands) =>
    commands.map(async ({ execute }) => {
      asked.push(execute);
      const reply = replies[execute];
      if (reply !== undefined) return reply;
      throw new VmplugError('vmm-refused', { action: 'ask', subject: execute, reason: 'no' });
    });
}

const seen = (
  replies: Record<string, JsonValue>,
  place: Place,
  known: VmmFacts,
  only?: ObserveOptions['only'],
) =>
  observe(
    script(replies),
    known,
    { vmmId: 'd0', place },
    { timeoutMs: 100, ...(only === undefined ? {} : { only }) },
  );

describe('a virtio disk on PCI', () => {
  const cases: [string, JsonValue, JsonValue, unknown][] = [
    ['driver runs', tree('d0', 0xfe00_0000), driverOk, { evidence: 'live', guest: { pci: '0000:01:00.0' } }],
    [
      'BARs assigned',
      tree('d0', 0xfe00_0000),
      virtio(),
      { evidence: 'enumerated', guest: { pci: '0000:01:00.0' } },
    ],
    [
      'nothing yet',
      tree('d0', -1),
      virtio('VIRTIO_CONFIG_S_ACKNOWLEDGE: x'),
      { evidence: 'acknowledged', guest: {} },
    ],
    ['not in the tree', tree('other', 1), virtio(), { evidence: 'acknowledged', guest: {} }],
  ];
  test.each(cases)('%s', async (_, pciTree, status, expected) => {
    const replies = { 'qom-get': disk, 'query-pci': pciTree, 'x-query-virtio-status': status };
    expect(await seen(replies, pci, withStatus)).toEqual({
      present: true,
      best: 'live',
      ...(expected as object),
    });
  });

  test('the evidence alone takes one question, and falls back to all when that is refused', async () => {
    const asked: string[] = [];
    const batch = script({ 'x-query-virtio-status': driverOk }, asked);
    const device = { vmmId: 'd0', place: pci, model: 'virtio-blk-pci' };
    const options = { timeoutMs: 100, only: 'evidence' } as const;
    expect((await observe(batch, withStatus, device, options)).evidence).toBe('live');
    expect(asked).toEqual(['x-query-virtio-status']);
    const gone = await observe(script({ 'query-pci': [] }), withStatus, device, options);
    expect(gone).toMatchObject({ present: false, best: 'live' });
  });

  test('the guest address alone', async () => {
    expect(await seen({ 'query-pci': tree('d0', 0xfe00_0000) }, pci, withStatus, 'guest')).toEqual({
      present: true,
      best: 'live',
      guest: { pci: '0000:01:00.0' },
    });
    expect(await seen({ 'query-pci': tree('other', 1) }, pci, withStatus, 'guest')).toMatchObject({
      present: false,
    });
  });

  test('before 7.2: the guest has read from it', async () => {
    const replies = { 'qom-get': disk, 'query-pci': tree('d0', 0xfe00_0000) };
    const backend = '/machine/peripheral/d0/virtio-backend';
    expect(await seen({ ...replies, 'query-blockstats': reads(backend, 3) }, pci, facts())).toMatchObject({
      evidence: 'live',
    });
    expect(await seen({ ...replies, 'query-blockstats': reads(backend, 0) }, pci, facts())).toMatchObject({
      evidence: 'enumerated',
    });
    expect(await seen({ ...replies, 'query-blockstats': reads('d00', 3) }, pci, facts())).toMatchObject({
      evidence: 'enumerated',
    });
  });
});

test('a SCSI disk: live when it was read, with the address of its controller', async () => {
  const replies = { 'qom-get': 'scsi-hd', 'query-pci': tree('scsi0', 0xfe00_0000) };
  expect(await seen({ ...replies, 'query-blockstats': reads('d0', 1) }, scsi, withStatus)).toEqual({
    present: true,
    best: 'live',
    evidence: 'live',
    guest: { pci: '0000:01:00.0' },
  });
  expect(await seen({ ...replies, 'query-blockstats': reads('d0', 0) }, scsi, withStatus)).toMatchObject({
    evidence: 'acknowledged',
  });
});

test('a device that is not there, and a reply of the wrong shape', async () => {
  expect(await seen({ 'query-pci': [] }, pci, withStatus)).toEqual({
    present: false,
    best: 'live',
    guest: {},
  });
  const wrong = { 'qom-get': disk, 'query-pci': [{ bus: 'zero' }], 'x-query-virtio-status': driverOk };
  await expect(seen(wrong, pci, withStatus)).rejects.toMatchObject({
    code: 'protocol-error',
    subject: 'query-pci',
  });
});

test('a lost connection is an error, not an absence', async () => {
  const lost: Batch = (commands) =>
    commands.map(() =>
      Promise.reject(new VmplugError('outcome-unknown', { action: 'a', subject: 's', reason: 'r' })),
    );
  await expect(
    observe(lost, withStatus, { vmmId: 'd0', place: pci }, { timeoutMs: 100 }),
  ).rejects.toMatchObject({ code: 'outcome-unknown' });
});

describe('the best that a device can show is what it is waited for', () => {
  const memory: Place = { transport: 'memory', bus: 'memory', slot: 0, unplug: 'immediate' };
  const ap: Place = { transport: 'ap', bus: 'ap-bus', unplug: 'immediate' };
  const mapped = tree('d0', 0xfe00_0000);
  const cases: [string, Place, string, Record<string, JsonValue>, unknown][] = [
    ['nvdimm', memory, 'nvdimm', {}, { best: 'acknowledged', evidence: 'acknowledged', guest: {} }],
    ['crypto adapters', ap, 'vfio-ap', {}, { best: 'acknowledged', evidence: 'acknowledged', guest: {} }],
    [
      'a function of the host, mapped',
      pci,
      'vfio-pci',
      { 'query-pci': mapped },
      { best: 'enumerated', evidence: 'enumerated', guest: { pci: '0000:01:00.0' } },
    ],
    [
      'a function of the host that the guest has not looked at',
      pci,
      'vfio-pci',
      { 'query-pci': tree('d0', -1) },
      { best: 'enumerated', evidence: 'acknowledged', guest: {} },
    ],
    [
      'a disk as a channel device',
      ccw,
      'virtio-blk-ccw',
      { 'x-query-virtio-status': driverOk },
      { best: 'live', evidence: 'live', guest: {} },
    ],
    ...['virtio-net-pci', 'vhost-user-blk-pci', 'vhost-user-fs-pci'].map((model): (typeof cases)[number] => [
      model,
      pci,
      model,
      { 'query-pci': mapped, 'x-query-virtio-status': driverOk },
      { best: 'live', evidence: 'live', guest: { pci: '0000:01:00.0' } },
    ]),
  ];
  test.each(cases)('%s', async (_, place, model, replies, expected) => {
    const all = { 'qom-get': model, ...replies };
    expect(await seen(all, place, withStatus)).toEqual({ present: true, ...(expected as object) });
    const known = { vmmId: 'd0', place, model };
    expect(await observe(script(all), withStatus, known, { timeoutMs: 100 })).toMatchObject(
      expected as object,
    );
  });

  test('before 7.2 a vhost-user device shows its BARs and no more, a channel device nothing', async () => {
    const blk = { 'qom-get': 'vhost-user-blk-pci', 'query-pci': mapped, 'query-blockstats': [] };
    expect(await seen(blk, pci, facts())).toMatchObject({ best: 'enumerated', evidence: 'enumerated' });
    const net = { 'qom-get': 'virtio-net-ccw' };
    expect(await seen(net, ccw, facts())).toMatchObject({ best: 'acknowledged', evidence: 'acknowledged' });
  });

  test('a function without BARs is not waited for: the guest will assign none', async () => {
    const bare: JsonValue = [
      { bus: 0, devices: [{ bus: 0, slot: 2, function: 0, qdev_id: 'd0', regions: [] }] },
    ];
    expect(await seen({ 'qom-get': 'vfio-pci', 'query-pci': bare }, pci, withStatus)).toMatchObject({
      best: 'acknowledged',
      evidence: 'acknowledged',
    });
  });

  test('absent: an nvdimm is no more than acknowledged either', async () => {
    expect(await seen({}, memory, withStatus)).toEqual({ present: false, best: 'acknowledged', guest: {} });
  });
});

describe('the status of vhost-user-scsi is a question that ends QEMU 7.2', () => {
  const replies = {
    'qom-get': 'vhost-user-scsi-pci',
    'query-pci': tree('d0', 0xfe00_0000),
    'x-query-virtio-status': driverOk,
  };
  const options: ObserveOptions[] = [{ timeoutMs: 100 }, { timeoutMs: 100, only: 'evidence' }];
  const at = (version: string): VmmFacts => ({ ...withStatus, version });

  test.each([[undefined], ['vhost-user-scsi-pci']])(
    'never asked there, the model being %s',
    async (model) => {
      for (const option of options) {
        const asked: string[] = [];
        const device = { vmmId: 'd0', place: pci, model };
        expect(await observe(script(replies, asked), at('7.2.22'), device, option)).toMatchObject({
          best: 'enumerated',
          evidence: 'enumerated',
        });
        expect(asked).not.toContain('x-query-virtio-status');
      }
    },
  );

  test('asked where it is mended', async () => {
    const device = { vmmId: 'd0', place: pci };
    expect(await observe(script(replies), at('10.0.2'), device, { timeoutMs: 100 })).toMatchObject({
      best: 'live',
      evidence: 'live',
    });
  });
});
