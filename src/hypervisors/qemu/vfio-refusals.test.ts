import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError } from '../../api/errors.ts';
import { vfioRefusalOf } from './vfio-refusals.ts';

function said(desc: string): VmplugError {
  const cause = { class: 'GenericError', desc };
  return new VmplugError('vmm-refused', { action: 'run', subject: 'vm', reason: desc, cause });
}

/** The words of QEMU 7.2 and 10.0, as they were seen. */
const words: [string, ErrorCode | undefined, string?][] = [
  ['vfio 0000:02:00.0: failed to open /dev/vfio/12: Device or resource busy', 'group-held', '12'],
  ["vfio 0000:02:00.0: Could not open '/dev/vfio/12': Device or resource busy", 'group-held', '12'],
  ['vfio 0000:02:00.0: failed to open /dev/vfio/10: No such file or directory', 'source-unsuitable', '10'],
  ["vfio 0000:02:00.0: Could not open '/dev/vfio/10': No such file or directory", 'source-unsuitable', '10'],
  ['vfio 0000:02:00.0: failed to open /dev/vfio/10: Permission denied', 'source-unsuitable', '10'],
  ["vfio 0000:02:00.0: Could not open '/dev/vfio/10': Permission denied", 'source-unsuitable', '10'],
  [
    'vfio 0000:02:00.0: failed to setup container for group 10: failed to open /dev/vfio/vfio: No such file or directory',
    'source-unsuitable',
    '10',
  ],
  [
    "vfio 0000:02:00.0: failed to setup container for group 10: Could not open '/dev/vfio/vfio': No such file or directory",
    'source-unsuitable',
    '10',
  ],
  ['vfio 0000:04:00.0: group 12 is not viable', 'group-not-viable', '12'],
  ['vfio 0000:02:00.0: no iommu_group found: No such file or directory', 'no-iommu'],
  [
    'vfio 0000:02:00.0: failed to setup container for group 5: Failed to set iommu for container: Operation not permitted',
    'no-interrupt-remapping',
    '5',
  ],
  [
    'vfio 0000:02:00.0: failed to setup container for group 10: memory listener initialization failed: Region pc.ram: vfio_dma_map(0x55d0c0a0, 0x0, 0xc0000, 0x7f0000000000) = -12 (Cannot allocate memory)',
    'memlock-too-small',
    '10',
  ],
  [
    'vfio 0000:02:00.0: failed to setup container for group 10: memory listener initialization failed: Region pc.bios: vfio_container_dma_map(0x55d0c0a0, 0xfffc0000, 0x40000, 0x7f0000000000) = -12 (Cannot allocate memory)',
    'memlock-too-small',
    '10',
  ],
  [
    'vfio /sys/bus/pci/devices/0000:33:00.0: no such host device: No such file or directory',
    'pci-device-not-found',
  ],
  ['vfio 0000:04:00.1: error getting device from group 12: No such device', 'source-unsuitable', '12'],
  ['vfio 0000:04:00.0: device is already attached', 'already-attached'],
  ["VFIO device doesn't support migration", undefined],
  ["Property 'vfio-pci.host' doesn't take value 'zz'", undefined],
  ["Bus 'pcie.0' does not support hotplugging", undefined],
  ["Could not open '/x/missing.img': No such file or directory", undefined],
  ['vfio 0000:04:00.0: something that was never heard', undefined],
];

test.each(words)('%s', (desc, code, group) => {
  const refusal = vfioRefusalOf(said(desc));
  expect(refusal?.code).toBe(code);
  expect(refusal?.facts?.['group']).toBe(group);
  if (refusal !== undefined) expect([refusal.reason, refusal.hint]).not.toContain('');
});

test('missing nodes are told apart: of all groups, and of this one', () => {
  const [all, one] = ['vfio', '10'].map((node) =>
    vfioRefusalOf(said(`vfio 0000:02:00.0: failed to open /dev/vfio/${node}: No such file or directory`)),
  );
  expect(all?.reason).toContain('/dev/vfio/vfio');
  expect(one?.reason).not.toContain('/dev/vfio/vfio');
});

test('unsafe interrupts are named with their danger', () => {
  const refusal = vfioRefusalOf(
    said('vfio 0000:02:00.0: Failed to set iommu for container: Operation not permitted'),
  );
  expect(refusal?.hint).toMatch(/allow_unsafe_interrupts.*inject interrupts/);
});

describe('what is no refusal means nothing', () => {
  const unknown = new VmplugError('outcome-unknown', {
    action: 'run',
    subject: 'vm',
    reason: 'vfio 0000:04:00.0: group 12 is not viable',
  });
  test.each([[unknown], [new Error('vfio: group 12 is not viable')], [undefined]])('%s', (error) => {
    expect(vfioRefusalOf(error)).toBeUndefined();
  });
});
