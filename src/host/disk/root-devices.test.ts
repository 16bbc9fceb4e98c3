import { expect, it } from 'vitest';
import { fakeHost } from '../host.testing.ts';
import { hostUsage } from './host-usage.ts';
import { rootDevices } from './root-devices.ts';

it('leads from the file system on / through device-mapper and partitions to the disks', () => {
  using host = fakeHost();
  host.addBlock('sda', '8:0');
  host.addBlock('sda/sda2', '8:2', { partition: '2', start: '4096' });
  host.addBlock('sdb', '8:16');
  host.addBlock('sdc', '8:32');
  host.addBlock('dm-0', '253:0');
  host.stack('dm-0', 'sda2');
  host.stack('dm-0', 'sdb');
  host.write(
    'proc/self/mountinfo',
    ['253:0 / / rw', '8:32 / /home rw', '0:5 / /dev rw']
      .map((mount) => `36 35 ${mount} - ext4 /dev/x rw\n`)
      .join(''),
  );
  expect([...rootDevices(hostUsage(host.paths))].sort()).toEqual([
    'block:253:0',
    'block:8:0',
    'block:8:16',
    'block:8:2',
  ]);
});

it('has none where / is no block device', () => {
  using host = fakeHost();
  host.write('proc/self/mountinfo', '36 35 0:50 / / rw - overlay overlay rw\n');
  expect([...rootDevices(hostUsage(host.paths))]).toEqual([]);
});
