/** What `vmplug attach --help` ends with: every form of a source, and a line to try for each. */
export const attachHelp = `
A source is
  PATH                     an image file or block node, as a disk
  pmem:FILE                a file or block node, as an nvdimm; it stays until the VM ends
  vfio:BDF                 a PCI function, with all of its IOMMU group
  vfio:/dev/vfio/N         an IOMMU group by its number; so does /dev/vfio/N
  mdev:UUID                a mediated device
  vfio-ap:UUID             crypto adapters (s390x)
  vhost-user-blk:SOCKET    a disk, SCSI controller, network card or shared folder that
  vhost-user-scsi:SOCKET   another program serves on a socket; the VM's memory has to be
  vhost-user-net:SOCKET    shared (vmplug sandbox run --shared-memory)
  vhost-user-fs:SOCKET

A file whose name begins like a scheme is written ./NAME.

Examples:
  vmplug attach vm1 ./disk.qcow2
  vmplug attach vm1 /dev/sdb --driver virtio-scsi
  vmplug attach vm1 pmem:/srv/data.img
  vmplug attach vm1 vfio:0000:3b:00.0
  vmplug attach vm1 vfio:/dev/vfio/12
  vmplug attach vm1 mdev:83b8f4f2-509f-382f-3c1e-e6bfe0fa1001
  vmplug attach vm1 vfio-ap:669d9b23-fe1b-4ecb-be08-a2fabca99b71
  vmplug attach vm1 vhost-user-blk:/run/disk.sock
  vmplug attach vm1 vhost-user-scsi:/run/scsi.sock
  vmplug attach vm1 vhost-user-net:/run/net.sock --mac 52:54:00:12:34:56
  vmplug attach vm1 vhost-user-fs:/run/fs.sock --tag shared`;
