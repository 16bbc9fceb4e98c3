import { expect, test } from 'vitest';
import { machineWishes } from './machine-flags.ts';

const memory = '256M';

test('ports are made where there can be some, slots where both sizes are said', () => {
  expect(machineWishes({ machine: 'q35', memory })).toEqual({ machine: 'q35', ports: 8, memory });
  expect(machineWishes({ machine: 'virt', ports: 2, memory })).toMatchObject({ ports: 2 });
  expect(machineWishes({ machine: 's390-ccw-virtio', memory })).toMatchObject({ ports: 0 });
  expect(
    machineWishes({ machine: 'pc', memory, bridges: 1, sharedMemory: true, memorySlots: 2, maxMemory: '4G' }),
  ).toEqual({
    ...{ machine: 'pc', ports: 0, bridges: 1, memory, sharedMemory: true },
    memorySlots: { count: 2, maxMemory: '4G' },
  });
});

test('a microvm is refused with the reason', () => {
  expect(() => machineWishes({ machine: 'microvm', memory })).toThrow(
    expect.objectContaining({ code: 'unsupported', reason: expect.stringContaining('virtio-mmio') }),
  );
});

test.each([
  [{ machine: 'pc', ports: 1 }, '--ports'],
  [{ machine: 's390-ccw-virtio', ports: 1 }, '--ports'],
  [{ machine: 'q35', memorySlots: 1 }, '--memory-slots'],
  [{ machine: 'q35', maxMemory: '1G' }, '--max-memory'],
] as const)('refused: %j', (flags, subject) => {
  expect(() => machineWishes({ memory, ...flags })).toThrow(
    expect.objectContaining({ code: 'invalid-argument', subject }),
  );
});
