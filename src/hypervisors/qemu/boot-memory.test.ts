import { expect, test } from 'vitest';
import { memoryArguments } from './boot-memory.ts';

test('plain', () => {
  expect(memoryArguments({ machine: 'pc', memory: '256M' })).toEqual(['-machine', 'pc', '-m', '256M']);
});

test('shared, so that vhost-user devices can have it: the whole of it as a memfd', () => {
  expect(memoryArguments({ machine: 's390-ccw-virtio', memory: '2G', sharedMemory: true })).toEqual([
    ...['-machine', 's390-ccw-virtio,memory-backend=ram', '-m', '2G'],
    ...['-object', '{"qom-type":"memory-backend-memfd","id":"ram","size":2147483648,"share":true}'],
  ]);
});

test('7.5 QEMU cold-plug: support for nvdimms: slots, and room above the memory', () => {
  const memorySlots = { count: 4, maxMemory: '4G' };
  expect(memoryArguments({ machine: 'q35', memory: '256M', memorySlots })).toEqual([
    ...['-machine', 'q35,nvdimm=on', '-m', '256M,slots=4,maxmem=4G'],
  ]);
  expect(memoryArguments({ machine: 'pc', memory: '1M', sharedMemory: true, memorySlots })).toEqual([
    ...['-machine', 'pc,memory-backend=ram,nvdimm=on', '-m', '1M,slots=4,maxmem=4G'],
    ...['-object', '{"qom-type":"memory-backend-memfd","id":"ram","size":1048576,"share":true}'],
  ]);
});

test.each([
  ['q35', 0, '4G', '0'],
  ['q35', 257, '4G', '257'],
  ['q35', 1.5, '4G', '1.5'],
  ['q35', 1, '256M', '256M'],
  ['q35', 1, '4G,share=on', '4G,share=on'],
  ['s390-ccw-virtio', 1, '4G', 's390-ccw-virtio'],
  ['virt', 1, '4G', 'virt'],
] as const)('refused: %s with %s slots up to %s', (machine, count, maxMemory, subject) => {
  const vm = { machine, memory: '256M', memorySlots: { count, maxMemory } };
  expect(() => memoryArguments(vm)).toThrow(expect.objectContaining({ code: 'invalid-argument', subject }));
});
