/**
 * vmplug plugs host devices into VM sandboxes, proves that the guest has them, and never loses
 * track of one.
 *
 * Begin with {@link Vmplug}: `Vmplug.open()`, `adopt` or `run`, `attach`, `detach`.
 */
export * from './api/index.ts';
export { BlockDevice } from './devices/managed/block-device.ts';
export type { AnyDevice } from './devices/managed/counted-device.ts';
export { GenericDevice } from './devices/managed/generic-device.ts';
export { VFIODevice } from './devices/managed/vfio-device.ts';
export { VhostUserBlkDevice } from './devices/managed/vhost-user-blk-device.ts';
export { VhostUserFSDevice } from './devices/managed/vhost-user-fs-device.ts';
export { VhostUserNetDevice } from './devices/managed/vhost-user-net-device.ts';
export { VhostUserSCSIDevice } from './devices/managed/vhost-user-scsi-device.ts';
export type { HostSysfs } from './host/vfio/host-sysfs.ts';
export { StoreDeviceJournal, type DeviceJournal } from './manager/devices/device-journal.ts';
export { SandboxDeviceManager, type DeviceManagerOptions } from './manager/devices/device-manager.ts';
export { openDeviceManager, type OpenDeviceManagerOptions } from './manager/devices/device-opening.ts';
export type { Finding } from './manager/doctor/finding.ts';
export { SandboxDevices, type SandboxDevicesOptions } from './manager/sandbox-devices.ts';
export { exportV1State, writeV1States, type V1Exported } from './manager/v1/export.ts';
export { importV1State, type V1Imported, type V1ImportRequest } from './manager/v1/import.ts';
export type {
  AttachOptions,
  CallOptions,
  ColdPlugOptions,
  ForgetOptions,
  RunOptions,
} from './manager/call-options.ts';
export { Vmplug, type VmplugOptions } from './manager/vmplug.ts';
export type { DeviceView, LiveView, PlaceCount, SandboxView } from './manager/views.ts';
export type { Detached } from './operations/detached.ts';
export { BootReceiver, type BootReceiverOptions } from './sandbox/boot-receiver.ts';
export type { Life } from './sandbox/life.ts';
export type { RunRequest } from './sandbox/run.ts';
export { SandboxReceiver, type SandboxReceiverOptions } from './sandbox/sandbox-receiver.ts';
export { SqliteStore } from './store/sqlite-store.ts';
export type { Store } from './store/store.ts';
