import type { DeviceDriver } from '../../api/device-type.ts';
import type { SimulatedQemuOptions } from '../../hypervisors/simulated/index.ts';

/** What of the host a device is made of. */
export type Made = 'image' | 'function' | 'group' | 'socket' | 'pmem';

/** A way in which a device is plugged, on a machine that takes it. */
export interface PluggedKind {
  readonly made: Made;
  /** What its source begins with. */
  readonly scheme: string;
  readonly options: { readonly driver?: DeviceDriver; readonly tag?: string; readonly mac?: string };
  readonly machine: SimulatedQemuOptions;
  /** It cannot leave a running VM. */
  readonly stays?: true;
}

/** As many as a group of two needs: each is one that the VMM is asked about. */
const ports = 2;

const disk = (driver: DeviceDriver, machine: SimulatedQemuOptions = {}): PluggedKind => ({
  made: 'image',
  scheme: '',
  options: { driver },
  machine: { ports, ...machine },
});
const served = (name: string, options: PluggedKind['options'] = {}): PluggedKind => ({
  made: 'socket',
  scheme: `vhost-user-${name}:`,
  options,
  machine: { ports, sharedMemory: true },
});

/** Every kind of device that QEMU is hot-plugged. */
export const pluggedKinds: Readonly<Record<string, PluggedKind>> = {
  'virtio-blk': disk('virtio-blk'),
  'virtio-blk, native hot-plug': disk('virtio-blk', { machine: 'q35-native' }),
  'virtio-scsi': disk('virtio-scsi'),
  'virtio-blk-ccw': disk('virtio-blk-ccw', { machine: 's390x' }),
  nvdimm: { made: 'pmem', scheme: 'pmem:', options: {}, machine: { ports, memorySlots: 2 }, stays: true },
  'vfio-pci, a function': { made: 'function', scheme: 'vfio:', options: {}, machine: { ports } },
  'vfio-pci, a group of two': { made: 'group', scheme: 'vfio:', options: {}, machine: { ports } },
  'vhost-user-blk': served('blk'),
  'vhost-user-scsi': served('scsi'),
  'vhost-user-net': served('net', { mac: '52:54:00:12:34:56' }),
  'vhost-user-fs': served('fs', { tag: 'shared' }),
};
