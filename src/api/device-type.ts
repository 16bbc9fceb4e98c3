/**
 * Kinds of device. The values are those of Kata Containers 1.x
 * (`virtcontainers/device/config`), because they are persisted.
 */
export const DeviceVFIO = 'vfio';
export const DeviceBlock = 'block';
export const DeviceGeneric = 'generic';
export const VhostUserSCSI = 'vhost-user-scsi-pci';
export const VhostUserNet = 'virtio-net-pci';
export const VhostUserBlk = 'vhost-user-blk-pci';
export const VhostUserFS = 'vhost-user-fs-pci';

export type DeviceType =
  | typeof DeviceVFIO
  | typeof DeviceBlock
  | typeof DeviceGeneric
  | typeof VhostUserSCSI
  | typeof VhostUserNet
  | typeof VhostUserBlk
  | typeof VhostUserFS;

/** Names of the drivers through which a guest can be given a block device. */
export const VirtioMmio = 'virtio-mmio';
export const VirtioBlock = 'virtio-blk';
export const VirtioBlockCCW = 'virtio-blk-ccw';
export const VirtioSCSI = 'virtio-scsi';
export const Nvdimm = 'nvdimm';

export type BlockDriver =
  typeof VirtioMmio | typeof VirtioBlock | typeof VirtioBlockCCW | typeof VirtioSCSI | typeof Nvdimm;

/** What a device is plugged as; for block devices a {@link BlockDriver}. */
export type DeviceDriver =
  | BlockDriver
  | 'vfio-pci'
  | 'vfio-ap'
  | typeof VhostUserBlk
  | typeof VhostUserSCSI
  | typeof VhostUserNet
  | typeof VhostUserFS;

export const deviceDrivers: readonly DeviceDriver[] = [
  VirtioBlock,
  VirtioSCSI,
  VirtioBlockCCW,
  VirtioMmio,
  Nvdimm,
  'vfio-pci',
  'vfio-ap',
  VhostUserBlk,
  VhostUserSCSI,
  VhostUserNet,
  VhostUserFS,
];

/** Names of the shared file systems of v1's configuration. */
export const Virtio9P = 'virtio-9p';
export const VirtioFS = 'virtio-fs';

/** Majors of block nodes that stand for a vhost-user socket in v1's vhost-user store. */
export const VhostUserBlkMajor = 241;
export const VhostUserSCSIMajor = 242;

/** The 15 bytes at offset 4096 by which a pmem file is told (`NVDIMM_PFN_INFO`). */
export const PfnSignature = 'NVDIMM_PFN_INFO';
export const PfnSignatureOffset = 4096;

/** Keys that v1 reads in `DeviceInfo.DriverOptions`. */
export const BlockDriverOption = 'block-driver';
export const FsTypeOption = 'fstype';

/** Hypervisor names as `DeviceReceiver.getHypervisorType()` returns them. */
export type HypervisorType = 'qemu' | 'clh' | 'firecracker' | 'acrn' | 'mock';
