import { expect, test } from 'vitest';
import type { JsonObject } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import { add, byId, connected, limits, refusals, unplug } from './commands.testing.ts';
import { everyBus, factsWithout, SimulatedMachine } from './index.ts';

const memory = (id: string, more: JsonObject = {}): Command => ({
  execute: 'object-add',
  arguments: {
    'qom-type': 'memory-backend-file',
    id,
    'mem-path': `/pmem/${id}`,
    size: 1 << 21,
    share: true,
    ...more,
  },
});
const nvdimm = (id: string, more: JsonObject = {}): Command => add('nvdimm', id, { memdev: id, ...more });
const twoSlots = (): SimulatedMachine =>
  new SimulatedMachine({ buses: [{ transport: 'memory', name: 'memory', slots: 2 }] });

test('an nvdimm is plugged, acknowledged at best, and stays with its object', async () => {
  const machine = new SimulatedMachine({ buses: everyBus() });
  expect(refusals(machine, memory('a'), nvdimm('a', { slot: 3 }))).toEqual(['ok', 'ok']);
  const hypervisor = connected(machine);
  const place = machine.device('a')?.place ?? expect.fail('no device');
  expect(place).toMatchObject({ transport: 'memory', slot: 3 });
  expect(await hypervisor.observe('a', place, limits)).toEqual({
    present: true,
    evidence: 'acknowledged',
    best: 'acknowledged',
    guest: {},
  });
  await expect(hypervisor.requestUnplug(unplug('a'), limits)).rejects.toMatchObject({
    code: 'vmm-refused',
    reason: 'nvdimm device hot unplug is not supported yet.',
  });
  const [busy] = await Promise.allSettled(hypervisor.submit([byId('object-del', 'a')], limits));
  if (busy?.status !== 'rejected') expect.fail('the object was deleted under its device');
  expect(busy.reason).toMatchObject({ reason: "object 'a' is in use, can not be deleted" });
  expect(hypervisor.isStillInUse(busy.reason)).toBe(true);
  expect(await hypervisor.inventory(limits)).toEqual({ devices: ['a'], backends: ['a'] });
});

test('slots: the first free one, one that is named, and none', async () => {
  const machine = twoSlots();
  refusals(machine, memory('a'), memory('b'), memory('c'), nvdimm('a'));
  expect(
    refusals(machine, nvdimm('b', { slot: 0 }), nvdimm('b', { slot: 2 }), nvdimm('b'), nvdimm('c')),
  ).toEqual([
    'slot 0 is busy',
    'invalid slot number 2, valid range is [0-1]',
    'ok',
    'no free slots available',
  ]);
  expect(refusals(machine, byId('object-del', 'c'))).toEqual(['ok']);
  const [bus] = machine.buses();
  expect([...(bus?.taken ?? [])]).toEqual([
    ['memory:0', 'a'],
    ['memory:1', 'b'],
  ]);
  const hypervisor = connected(machine);
  const [reply] = await Promise.allSettled(hypervisor.submit([memory('d'), nvdimm('d')], limits).slice(1));
  expect(reply?.status === 'rejected' && hypervisor.isPlaceTaken(reply.reason)).toBe(true);
});

test('what an object is refused for', () => {
  const machine = twoSlots();
  machine.backEnds.objects.setFileSize('/pmem/small', 1 << 20);
  expect(
    refusals(
      machine,
      memory('a'),
      memory('a'),
      memory('small'),
      memory('9'),
      memory('b', { size: '4096' }),
      memory('b', { size: undefined }),
      memory('b', { 'mem-path': undefined }),
      memory('b', { 'qom-type': 'nosuch' }),
      byId('object-del', 'zz'),
      byId('object-del', 'a'),
    ),
  ).toEqual([
    'ok',
    "attempt to add duplicate property 'a' to object (type 'container')",
    "backing store size 0x100000 does not match 'size' option 0x200000",
    "Parameter 'id' expects an identifier",
    "Parameter 'size' expects uint64",
    "Parameter 'size' is missing",
    "Parameter 'mem-path' is missing",
    "Parameter 'qom-type' does not accept value 'nosuch'",
    "object 'zz' not found",
    'ok',
  ]);
  expect(machine.backEnds.names).toEqual([]);
});

test('what an nvdimm is refused for leaves its object free', () => {
  const machine = twoSlots();
  refusals(machine, memory('a', { readonly: true }), memory('b'), nvdimm('b'));
  expect(
    refusals(
      machine,
      nvdimm('a'),
      nvdimm('c', { memdev: 'zz' }),
      nvdimm('c', { memdev: undefined }),
      nvdimm('c', { memdev: 'b' }),
      nvdimm('c', { memdev: 'a', bus: 'memory' }),
      nvdimm('a', { unarmed: true }),
    ),
  ).toEqual([
    "'unarmed' property must be 'on' since memdev a is read-only",
    "Device 'zz' not found",
    "'memdev' property must be set",
    "can't use already busy memdev: b",
    "Bus 'memory' not found",
    'ok',
  ]);
});

test('a machine that was started without nvdimm, without slots, or without the model', () => {
  expect(refusals(new SimulatedMachine(), memory('a'), nvdimm('a'), byId('object-del', 'a'))).toEqual([
    'ok',
    "nvdimm is not enabled: missing 'nvdimm' in '-M'",
    'ok',
  ]);
  const noSlots = new SimulatedMachine({ buses: [{ transport: 'memory', name: 'memory', slots: 0 }] });
  expect(refusals(noSlots, memory('a'), nvdimm('a'))).toEqual([
    'ok',
    "no slots where allocated, please specify the 'slots' option",
  ]);
  const without = (feature: string): SimulatedMachine =>
    new SimulatedMachine({ buses: everyBus(), facts: factsWithout(feature) });
  expect(refusals(without('device:nvdimm'), memory('a'), nvdimm('a'))).toEqual([
    'ok',
    "'nvdimm' is not a valid device model name",
  ]);
  expect(refusals(without('property:nvdimm.unarmed'), memory('a'), nvdimm('a', { unarmed: true }))).toEqual([
    'ok',
    "Property 'nvdimm.unarmed' not found",
  ]);
});
