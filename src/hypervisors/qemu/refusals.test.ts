import { describe, expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import { isAlreadyReleased, isLocked, isPlaceTaken, isStillInUse, unplugReplyOf } from './refusals.ts';

function said(desc: string, errorClass = 'GenericError'): VmplugError {
  return new VmplugError('vmm-refused', {
    action: 'run',
    subject: 'vm',
    reason: desc,
    cause: { class: errorClass, desc },
  });
}

/** The words of QEMU 7.2 and 10.0, and which of the meanings each has. */
const words: [string, string, string | undefined, (keyof typeof meanings)[]][] = [
  ["Device 'd0' not found", 'DeviceNotFound', 'gone', ['released']],
  ['Device d0 is already in the process of unplug', 'GenericError', 'pending', []],
  ['Hot-unplug failed: guest is busy (power indicator blinking)', 'GenericError', 'busy', ['inUse']],
  ["Bus 'pcie.0' does not support hotplugging", 'GenericError', undefined, []],
  ['nvdimm device hot unplug is not supported yet.', 'GenericError', undefined, []],
  [
    'PCI: slot 0 function 0 not available for virtio-blk-pci, in use by virtio-blk-pci,id=d0',
    'GenericError',
    undefined,
    ['place'],
  ],
  [
    'PCI: slot 0 function 0 already occupied by virtio-blk-pci, new func virtio-blk-pci cannot be exposed to guest.',
    'GenericError',
    undefined,
    ['place'],
  ],
  ["lun already used by 'd0'", 'GenericError', undefined, ['place']],
  [
    'PCI: no slot/function available for virtio-rng-pci, all in use or reserved',
    'GenericError',
    undefined,
    ['place'],
  ],
  ['Device fe.0.0005 already exists', 'GenericError', undefined, ['place']],
  ['slot 1 is busy', 'GenericError', undefined, ['place']],
  ['no free slots available', 'GenericError', undefined, ['place']],
  ['invalid slot number 7, valid range is [0-1]', 'GenericError', undefined, []],
  ["object 'm0' is in use, can not be deleted", 'GenericError', undefined, ['inUse']],
  ["object 'm0' not found", 'GenericError', undefined, ['released']],
  ["Chardev 'c0' is busy", 'GenericError', undefined, ['inUse']],
  ["Chardev 'c0' not found", 'GenericError', undefined, ['released']],
  ["Device 'n0' not found", 'DeviceNotFound', 'gone', ['released']],
  ["can't use already busy memdev: m0", 'GenericError', undefined, []],
  ["Property 'virtio-net-device.netdev' can't take value 'n0', it's in use", 'GenericError', undefined, []],
  ["Property 'virtio-net-device.netdev' can't find value 'n0'", 'GenericError', undefined, []],
  ['vfio 0000:04:00.0: device is already attached', 'GenericError', undefined, []],
  ['vfio 0000:04:00.0: group 12 is not viable', 'GenericError', undefined, []],
  [
    "vfio 0000:04:00.0: Could not open '/dev/vfio/12': Device or resource busy",
    'GenericError',
    undefined,
    [],
  ],
  ['vfio 0000:02:00.0: no iommu_group found: No such file or directory', 'GenericError', undefined, []],
  ["Duplicate device ID 'd0'", 'GenericError', undefined, []],
  ["Bus 'rp9' not found", 'GenericError', undefined, ['released']],
  ['Node b0 is in use', 'GenericError', undefined, ['inUse']],
  ["Node 'b0' is busy: block device is in use by block job: stream", 'GenericError', undefined, ['inUse']],
  ["Failed to find node with node-name='zz'", 'GenericError', undefined, ['released']],
  ["Cannot find device='' nor node-name='zz'", 'GenericError', undefined, ['released']],
  ["Duplicate nodes with node-name='b4'", 'GenericError', undefined, []],
  ['Failed to get "write" lock', 'GenericError', undefined, ['locked']],
  ['Failed to get shared "write" lock', 'GenericError', undefined, ['locked']],
  ["Could not open '/x/missing.img': No such file or directory", 'GenericError', undefined, []],
  ['Image is not in qcow2 format', 'GenericError', undefined, []],
];

const meanings = { released: isAlreadyReleased, inUse: isStillInUse, place: isPlaceTaken, locked: isLocked };

test.each(words)('%s', (desc, errorClass, reply, expected) => {
  const error = said(desc, errorClass);
  expect(unplugReplyOf(error)).toBe(reply);
  const had = Object.entries(meanings).filter(([, means]) => means(error));
  expect(had.map(([name]) => name)).toEqual(expected);
});

describe('what is no refusal means nothing', () => {
  const unknown = new VmplugError('outcome-unknown', {
    action: 'run',
    subject: 'vm',
    reason: 'Node b0 is in use',
  });
  test.each([[unknown], [new Error('Node b0 is in use')], [undefined], ['in use']])('%s', (error) => {
    expect(unplugReplyOf(error)).toBeUndefined();
    for (const means of Object.values(meanings)) expect(means(error)).toBe(false);
  });
});
