import { expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, testDisk, TestStore } from '../operations/bench.testing.ts';
import { testGroup, testPmem, testSocket } from '../operations/hosts.testing.ts';
import type { HostDevice } from '../api/host-device.ts';
import { addressText, functionLines, shortAddress } from './guest-text.ts';

async function attached(host: HostDevice): Promise<AttachmentRecord> {
  using stores = new TestStore();
  return await new Bench(stores.store, { buses: everyBus() }).attach(host);
}

test.each([
  [testDisk('d'), /^\/dev\/disk\/by-id\/virtio-vp\S+ \(0000:\S+, PCI path \S+\)$/],
  [testPmem('p'), /^memory slot \d+$/],
  [testGroup('7', 1), /^0000:\S+, PCI path \S+$/],
  [testSocket('vhost-user-blk', 'b'), /^0000:\S+, PCI path \S+$/],
  [testSocket('vhost-user-net', 'n'), /^52:54:00:12:34:56 \(0000:\S+, PCI path \S+\)$/],
  [testSocket('vhost-user-fs', 'shared'), /^tag shared \(0000:\S+, PCI path \S+\)$/],
])('$kind: where the guest finds it', async (host, expected) => {
  const device = await attached(host);
  expect(addressText(device)).toMatch(expected);
  expect(shortAddress(device)).toMatch(/^\S.*$/);
  expect(functionLines(device)).toEqual([]);
});

test('of a group each function, with what the VM says of it by now', async () => {
  const device = await attached(testGroup('7', 2));
  expect(functionLines(device)).toEqual([
    expect.stringMatching(/^0000:3b:00\.0 is 0000:\S+, PCI path \S+$/),
    expect.stringMatching(/^0000:3b:00\.1 is PCI path \S+$/),
  ]);
  const seen = ['0000:01:00.0', '0000:02:00.0'].map((pci) => ({
    present: true,
    best: 'enumerated' as const,
    guest: { pci },
  }));
  expect(functionLines(device, seen)[1]).toMatch(/^0000:3b:00\.1 is 0000:02:00\.0, PCI path \S+$/);
});

test('a channel device', () => {
  const place = { transport: 'ccw', bus: 'virtual-css', devno: 'fe.0.0005', unplug: 'immediate' } as const;
  expect(addressText({ guest: { ccw: '0.0.0005', byId: '/dev/disk/by-id/x' }, place })).toBe(
    '/dev/disk/by-id/x (0.0.0005)',
  );
});

test('disks on one SCSI controller are told apart in a column', () => {
  const texts = [0, 1].map((lun) => {
    const unit = {
      transport: 'scsi',
      bus: 'scsi0.0',
      controller: 'scsi0',
      channel: 0,
      scsiId: 0,
      lun,
    } as const;
    const guest = { pci: '0000:00:1e.0', scsi: `0:0:${lun}` };
    return shortAddress({ guest, place: { ...unit, unplug: 'immediate' } });
  });
  expect(texts).toEqual(['0000:00:1e.0 0:0:0', '0000:00:1e.0 0:0:1']);
});
