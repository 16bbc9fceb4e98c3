import type { VmmRefusal } from '../../api/hypervisor.ts';
import { qmpErrorOf } from './qmp/index.ts';

/**
 * What QEMU means by refusing a VFIO device: the words of 7.2 (`failed to open /dev/vfio/10: …`,
 * `vfio_dma_map`) and of 10.0 (`Could not open '/dev/vfio/10': …`, `vfio_container_dma_map`). Behind
 * them is the kernel's answer (drivers/vfio).
 */
export function vfioRefusalOf(error: unknown): VmmRefusal | undefined {
  return vfioRefusalIn(qmpErrorOf(error)?.desc ?? '');
}

/** As {@link vfioRefusalOf}, for the words with which QEMU ended. */
export function vfioRefusalIn(words: string): VmmRefusal | undefined {
  if (!words.startsWith('vfio')) return undefined;
  for (const [pattern, meaning] of meanings) {
    const found = pattern.exec(words);
    if (found === null) continue;
    const group = /(?:\/dev\/vfio\/(?:noiommu-)?|group )(\d+)/.exec(words)?.[1];
    return group === undefined ? meaning : { ...meaning, facts: { group } };
  }
  return undefined;
}

/** In the order in which they are tried. */
const meanings: readonly (readonly [RegExp, VmmRefusal])[] = [
  [
    /\/dev\/vfio\/vfio'?: No such file or directory/,
    {
      code: 'source-unsuitable',
      reason: 'the node for all IOMMU groups, /dev/vfio/vfio, is missing where the VMM runs',
      hint: 'modprobe vfio_iommu_type1, and see that the VMM has the host’s /dev/vfio',
    },
  ],
  [
    /\/dev\/vfio\/vfio'?: (?:Permission denied|Operation not permitted)/,
    {
      code: 'source-unsuitable',
      reason: 'the VMM may not open /dev/vfio/vfio',
      hint: 'let its user open it (mode 0666 is usual), and its control group too',
    },
  ],
  [
    /\/dev\/vfio\/[\w-]+'?: Device or resource busy/,
    {
      code: 'group-held',
      reason: 'another process has its IOMMU group open, and only one may',
      hint: 'fuser -v /dev/vfio/* shows which; end it, or take the device out of it first',
    },
  ],
  [
    /\/dev\/vfio\/[\w-]+'?: (?:Permission denied|Operation not permitted)/,
    {
      code: 'source-unsuitable',
      reason: 'the VMM may not open the node of its IOMMU group',
      hint: 'the VMM runs as another user: give the node to that user (chown USER /dev/vfio/GROUP)',
    },
  ],
  [
    /\/dev\/vfio\/[\w-]+'?: No such file or directory/,
    {
      code: 'source-unsuitable',
      reason: 'its IOMMU group has no node: no function of it is with vfio-pci, or the VMM has another /dev',
      hint: 'give the group to vfio-pci, and see that the VMM has the host’s /dev/vfio',
    },
  ],
  [
    /group \d+ is not viable/,
    {
      code: 'group-not-viable',
      reason: 'a function of its IOMMU group has a driver of this host',
      hint: 'all of the group moves: ls /sys/kernel/iommu_groups/GROUP/devices shows what is in it',
    },
  ],
  [
    /no iommu_group found/,
    {
      code: 'no-iommu',
      reason: 'it is in no IOMMU group: this host has no IOMMU, or it is off',
      hint: 'turn the IOMMU on: VT-d or AMD-Vi in the firmware (BIOS), and intel_iommu=on on the command line of the kernel',
    },
  ],
  [
    /Failed to set iommu for container: Operation not permitted/,
    {
      code: 'no-interrupt-remapping',
      reason: 'the IOMMU of this host does not remap interrupts, and without that the kernel refuses',
      hint: 'turn interrupt remapping on in the firmware; with the guest trusted: echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts, after which a guest can inject interrupts into this host',
    },
  ],
  [
    /dma_map\(.*\) = -12 \(/,
    {
      code: 'memlock-too-small',
      reason: 'the VMM may not lock all of the guest’s memory, which a VFIO device needs',
      hint: 'raise its limit to the guest’s RAM and at least 1 MiB more: prlimit --pid PID --memlock=BYTES:BYTES, or LimitMEMLOCK= of its systemd unit',
    },
  ],
  [
    /no such host device/,
    {
      code: 'pci-device-not-found',
      reason: 'this host does not have it any more',
      hint: 'lspci -D lists what it has',
    },
  ],
  [
    /error getting device from group \d+: No such device/,
    {
      code: 'source-unsuitable',
      reason: 'it has no driver of vfio, although its group has',
      hint: 'give it to vfio-pci',
    },
  ],
  [
    /device is already attached/,
    {
      code: 'already-attached',
      reason: 'the VM has it already, plugged by somebody else',
      hint: 'take it out the way it came in',
    },
  ],
];
