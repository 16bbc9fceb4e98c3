import { expect, test } from 'vitest';
import type { DiskOptions } from '../api/attachment.ts';
import type { HostPmem } from '../api/host-device.ts';
import { attachOf, memory, name, pmemFile, qemu, without } from './plan-request.testing.ts';
import { pmem } from './pmem.ts';

const planOf = (host: HostPmem) => pmem.plan(attachOf(host, 'nvdimm', [memory]));

test('a file as an nvdimm: every word that goes out, and what takes it back', () => {
  expect(planOf(pmemFile())).toEqual({
    vmmId: name,
    steps: [
      {
        summary: 'map the file as memory',
        run: {
          execute: 'object-add',
          arguments: {
            'qom-type': 'memory-backend-file',
            id: name,
            'mem-path': '/images/a.pmem',
            size: 2_101_248,
            share: true,
          },
        },
        undo: { execute: 'object-del', arguments: { id: name } },
      },
      {
        summary: 'plug the device',
        run: { execute: 'device_add', arguments: { driver: 'nvdimm', slot: 2, id: name, memdev: name } },
        undo: { execute: 'device_del', arguments: { id: name } },
        undoIsRequest: true,
      },
    ],
    staysUntilVmEnds: 'QEMU cannot unplug an nvdimm',
  });
});

test('read-only holds for the memory, and the device says so to the guest', () => {
  const [object, device] = planOf(pmemFile({ readOnly: true })).steps;
  expect(object?.run.arguments).toMatchObject({ readonly: true, share: true });
  expect(device?.run.arguments).toMatchObject({ unarmed: true });
});

test('W16: what takes it back names what was added, and no block node is among that', () => {
  for (const host of [pmemFile(), pmemFile({ readOnly: true })]) {
    const plan = planOf(host);
    expect(plan.steps.map(({ run, undo }) => [run.execute, run.arguments?.['id'], undo])).toEqual([
      ['object-add', name, { execute: 'object-del', arguments: { id: name } }],
      ['device_add', name, { execute: 'device_del', arguments: { id: name } }],
    ]);
    expect(plan.staysUntilVmEnds).toBeDefined();
  }
});

test('W56: no counter: the slot is the place, and the node in the guest is not predicted', () => {
  const request = attachOf(pmemFile(), 'nvdimm', [{ ...memory, slot: 0 }]);
  expect(pmem.plan(request)).toEqual(pmem.plan(request));
  expect(pmem.plan(request).steps[1]?.run.arguments).toMatchObject({ slot: 0 });
  expect(pmem.guestAddress(request)).toEqual({});
});

test('needs one memory slot', () => {
  expect(pmem.needs({ driver: 'nvdimm', host: pmemFile(), options: {} })).toEqual({
    transport: 'memory',
    count: 1,
    features: ['device:nvdimm'],
  });
});

test.each<[string, Partial<HostPmem>, DiskOptions, string, string]>([
  ['a build without nvdimm', {}, {}, 'device:nvdimm', 'unsupported'],
  ['read-only on a build without unarmed', { readOnly: true }, {}, 'property:nvdimm.unarmed', 'unsupported'],
  ['options of disk images', {}, { cache: 'none' }, '', 'invalid-argument'],
])('refused: %s', (_, rest, options, lacking, code) => {
  const host = pmemFile(rest);
  pmem.check({ driver: 'nvdimm', host, options: {} }, qemu);
  expect(() => pmem.check({ driver: 'nvdimm', host, options }, without(qemu, lacking))).toThrow(
    expect.objectContaining({ code, subject: './a.pmem', hint: expect.stringMatching(/./) }),
  );
});
