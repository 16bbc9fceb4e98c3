import { expect, test } from 'vitest';
import { DeviceModels } from './device-models.ts';

test('what was plugged is known until it is gone; other commands teach nothing', () => {
  const models = new DeviceModels();
  models.learn([
    { execute: 'blockdev-add', arguments: { driver: 'raw', id: 'b0' } },
    { execute: 'device_add', arguments: { driver: 'virtio-blk-pci', id: 'd0' } },
    { execute: 'device_add', arguments: { driver: 'virtio-rng-pci' } },
    { execute: 'device_del', arguments: { id: 'd0' } },
  ]);
  expect(models.get('d0')).toBe('virtio-blk-pci');
  expect(models.get('b0')).toBeUndefined();
  models.forget('d0');
  expect(models.get('d0')).toBeUndefined();
});
