import { VFIODeviceAPType, VFIODeviceMediatedType, VFIODeviceNormalType } from '../api/device-info.ts';
import type {
  HostDevice,
  HostDisk,
  HostFunction,
  HostPmem,
  HostVfioGroup,
  HostVhostUser,
  ImageLayer,
} from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { CcwPlace, MemoryPlace, PciPlace, ScsiPlace, SlotPlace } from '../api/place.ts';
import type { PlanRequest } from './device-kind.ts';

/** The id of the device in these tests, and its name in the VMM on the first attach. */
export const id = '0123456789abcdef';
export const name = `vmplug-${id}-1`;

export const port = (number: number): PciPlace => ({
  transport: 'pci',
  bus: `port${number}`,
  slot: 0,
  path: [`0${number + 2}`, '00'],
  unplug: 'acpi',
});
export const scsi: ScsiPlace = {
  transport: 'scsi',
  bus: 'scsi0.0',
  channel: 0,
  scsiId: 3,
  lun: 4,
  controller: 'scsi0',
  unplug: 'immediate',
};
export const ccw: CcwPlace = {
  transport: 'ccw',
  bus: 'virtual-css',
  devno: 'fe.0.00ab',
  unplug: 'immediate',
};
export const memory: MemoryPlace = { transport: 'memory', bus: 'memory', slot: 2, unplug: 'immediate' };
export const drive = (slot: number, bus = '/run/jail/root'): SlotPlace => ({
  transport: 'slot',
  bus,
  slot,
  unplug: 'immediate',
});

export const raw: ImageLayer = { path: '/images/a,b.img', format: 'raw', protocol: 'file' };
export const qcow2 = (path: string): ImageLayer => ({ path, format: 'qcow2', protocol: 'file' });

const identities: HostDevice['identities'] = [{ key: 'file:1:2', mode: 'exclusive' }];

export function disk(layers: HostDisk['layers'] = [raw], rest: Partial<HostDisk> = {}): HostDisk {
  return {
    kind: 'block',
    source: layers[0].path,
    layers,
    virtualSize: 512,
    identities,
    readOnly: false,
    shareRw: false,
    major: 0,
    minor: 0,
    ...rest,
  };
}

export function pmemFile(rest: Partial<HostPmem> = {}): HostPmem {
  return {
    kind: 'pmem',
    source: './a.pmem',
    path: '/images/a.pmem',
    size: 2_101_248,
    identities,
    readOnly: false,
    shareRw: false,
    ...rest,
  };
}

const noIds = { vendorId: '', deviceId: '', classCode: '', isPcie: false };
export const pciFunction = (address: string): HostFunction => ({
  ...noIds,
  type: VFIODeviceNormalType,
  address,
  sysfsDev: `/sys/devices/pci0000:00/${address}`,
});
export const mediated = (address: string): HostFunction => ({
  ...noIds,
  type: VFIODeviceMediatedType,
  address,
  sysfsDev: `/sys/devices/virtual/${address}`,
});
export const apMatrix: HostFunction = {
  ...noIds,
  type: VFIODeviceAPType,
  address: 'f79944e4-5a3d-11e8-99ce-479cbab002e4',
  sysfsDev: '/sys/devices/vfio_ap/matrix/f79944e4-5a3d-11e8-99ce-479cbab002e4',
};

export function group(...functions: HostVfioGroup['functions']): HostVfioGroup {
  return {
    kind: 'vfio',
    source: `vfio:${functions[0].address}`,
    group: '12',
    functions,
    identities,
    readOnly: false,
    shareRw: false,
  };
}

export function served(kind: HostVhostUser['kind'], rest: Partial<HostVhostUser> = {}): HostVhostUser {
  return {
    kind,
    source: `${kind}:/run/back-end.sock`,
    socket: '/run/back-end.sock',
    ...(kind === 'vhost-user-net' ? { mac: '52:54:00:aa:00:01' } : {}),
    ...(kind === 'vhost-user-fs' ? { tag: 'data' } : {}),
    identities,
    readOnly: false,
    shareRw: false,
    ...rest,
  };
}

const models = ['virtio-blk-pci', 'virtio-blk-ccw', 'scsi-hd', 'nvdimm', 'vfio-pci', 'vfio-ap'];
const servedModels = ['vhost-user-blk-pci', 'vhost-user-scsi-pci', 'virtio-net-pci', 'vhost-user-fs-pci'];
const properties = ['serial', 'share-rw', 'write-cache', 'unarmed'];

/** A QEMU that has all that is asked for, except quirks and a DAX window. */
export const qemu: VmmFacts = {
  type: 'qemu',
  version: '7.2.22',
  machine: 'pc-q35-7.2',
  features: [
    ...[...models, ...servedModels].map((model) => `device:${model}`),
    ...models.flatMap((model) => properties.map((property) => `property:${model}.${property}`)),
    ...['format:raw', 'format:qcow2', 'aio:native', 'memory:shared'],
  ],
};

export const without = (facts: VmmFacts, feature: string): VmmFacts => ({
  ...facts,
  features: facts.features.filter((each) => each !== feature),
});

export const having = (facts: VmmFacts, feature: string): VmmFacts => ({
  ...facts,
  features: [...facts.features, feature],
});

/** A VMM that is not QEMU. */
export const vmm = (type: VmmFacts['type'], ...features: string[]): VmmFacts => ({
  type,
  version: '1.0.0',
  machine: '',
  features,
});

/** The first attach of `host`. */
export function attachOf<H extends HostDevice>(
  host: H,
  driver: PlanRequest['driver'],
  places: PlanRequest['places'],
  rest: Partial<Omit<PlanRequest, 'host'>> = {},
): PlanRequest<H> {
  return { id, generation: 1, serial: `vp${id}`, host, driver, options: {}, places, facts: qemu, ...rest };
}
