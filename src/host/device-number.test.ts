import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { deviceNumber, parseDeviceNumber } from './device-number.ts';

it('takes large majors and minors apart', () => {
  expect(deviceNumber(0x811n)).toEqual({ major: 8, minor: 17 });
  // makedev(0x12345, 0x6789a)
  const dev = (0x12000n << 32n) | (0x345n << 8n) | 0x9an | (0x67800n << 12n);
  expect(deviceNumber(dev)).toEqual({ major: 0x12345, minor: 0x6789a });
});

it('agrees with the system', () => {
  expect(deviceNumber(statSync('/dev/null', { bigint: true }).rdev)).toEqual({ major: 1, minor: 3 });
});

it('reads numbers from sysfs and nothing else', () => {
  expect(parseDeviceNumber('259:3\n')).toEqual({ major: 259, minor: 3 });
  for (const text of ['', '8', '8:', 'a:b', '8:1:2', '-1:2']) expect(parseDeviceNumber(text)).toBeUndefined();
});
