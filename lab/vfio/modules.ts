/** What the machine in the machine loads, beside all that these need. Names as the kernel has them. */

/** NVMe's checksums are found by name at run time, so no dependency of a module says them. */
const nvme = ['crct10dif_generic', 'crc64_rocksoft', 'nvme'];

export const outerModules: readonly string[] = [
  ...['virtio_pci', 'virtio_blk', 'crc32c_generic', 'ext4', 'virtio_console', '9pnet_virtio', '9p'],
  ...['vfio_iommu_type1', 'vfio_pci', 'mdev', 'kvm_amd'],
  ...[...nvme, 'e1000', 'e1000e', 'igb', 'igbvf', 'af_packet'],
];

export const innerModules: readonly string[] = [
  ...[...nvme, 'e1000', 'e1000e', 'igbvf', 'af_packet', 'button', 'evdev'],
];
