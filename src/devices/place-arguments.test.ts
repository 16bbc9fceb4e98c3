import { expect, test } from 'vitest';
import { placeKey, type Place } from '../api/place.ts';
import { ccw, drive, memory, port, scsi } from './plan-request.testing.ts';
import { placeArguments } from './place-arguments.ts';

test.each<[string, Place, object]>([
  ['the slot as text, 0 too', port(1), { bus: 'port1', addr: '00' }],
  ['the slot in hexadecimal', { ...port(1), bus: 'pci.0', slot: 31 }, { bus: 'pci.0', addr: '1f' }],
  ['a SCSI address as numbers', scsi, { bus: 'scsi0.0', channel: 0, 'scsi-id': 3, lun: 4 }],
  ['W27: a device number as the text that it is', ccw, { devno: 'fe.0.00ab' }],
  ['a memory slot as a number', memory, { slot: 2 }],
  ['nothing for crypto adapters', { transport: 'ap', bus: 'ap', unplug: 'immediate' }, {}],
])('%s', (_, place, args) => {
  expect(placeArguments('some-model', place)).toEqual({ driver: 'some-model', ...args });
});

test('a drive slot is no place of QEMU, but has a name to claim it by', () => {
  expect(() => placeArguments('virtio-blk-pci', drive(3))).toThrow(
    expect.objectContaining({ code: 'internal-error' }),
  );
  expect(placeKey(drive(3))).toBe('slot:3');
});
