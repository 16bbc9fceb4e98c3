import { expect, test } from 'vitest';
import type { HostDevice, HostPmem } from '../api/host-device.ts';
import { memoryFor } from './memory-for.ts';

const identities: HostPmem['identities'] = [{ key: 'file:1:1', mode: 'exclusive' }];
const pmem = (size: number): HostDevice => ({
  ...{ kind: 'pmem', source: 'p', path: '/p', size, identities, readOnly: false, shareRw: false },
});
const served: HostDevice = {
  ...{ kind: 'vhost-user-blk', source: 's', socket: '/s', identities, readOnly: false, shareRw: false },
};

test('memory is shared where a back end has to reach it, and as it was said otherwise', () => {
  expect(memoryFor({ memory: '256M' }, [])).toEqual({ sharedMemory: false });
  expect(memoryFor({ memory: '256M' }, [served])).toEqual({ sharedMemory: true });
  expect(memoryFor({ memory: '256M', sharedMemory: true }, [])).toEqual({ sharedMemory: true });
});

test('a slot and room for each nvdimm; what was said stays', () => {
  const two = [pmem(16 * 2 ** 20), pmem(2 ** 30 + 4096)];
  expect(memoryFor({ memory: '256M' }, two)).toEqual({
    sharedMemory: false,
    memorySlots: { count: 2, maxMemory: '3328M' },
  });
  const memorySlots = { count: 1, maxMemory: '1G' };
  expect(memoryFor({ memory: '2G', memorySlots }, two)).toMatchObject({ memorySlots });
  expect(() => memoryFor({ memory: 'much' }, two)).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});
