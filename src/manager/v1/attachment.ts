import type { AttachmentRecord } from '../../api/attachment.ts';
import type { BlockDriveState, DeviceState, VhostUserDeviceAttrsState } from '../../api/device-state.ts';
import {
  BlockDriverOption,
  DeviceBlock,
  DeviceVFIO,
  VhostUserBlk,
  VhostUserFS,
  VhostUserNet,
  VhostUserSCSI,
} from '../../api/device-type.ts';
import type { HostVfioGroup, HostVhostUser } from '../../api/host-device.ts';
import { getSCSIAddress, makeNameID } from '../../api/names.ts';

/**
 * The state that v1 would have saved of an attachment, referenced and attached once. What v1 would have
 * predicted, the guest's `/dev/vdX`, stays empty.
 * @param takeIndex gives out a free block index: the wished one where that is free
 */
export function attachmentState(
  attachment: AttachmentRecord,
  takeIndex: (wished?: number) => number,
): DeviceState {
  const { host } = attachment;
  switch (host.kind) {
    case 'block':
    case 'pmem': {
      const numbers = host.kind === 'block' ? host : { major: 0, minor: 0 };
      return {
        ...common(attachment, DeviceBlock),
        DevType: numbers.major === 0 && numbers.minor === 0 ? '' : 'b',
        Major: numbers.major,
        Minor: numbers.minor,
        DriverOptions: { [BlockDriverOption]: attachment.driver },
        BlockDrive: blockDrive(attachment, takeIndex),
      };
    }
    case 'vfio':
      return { ...common(attachment, DeviceVFIO), DevType: 'c', VFIODevs: vfioDevs(attachment.id, host) };
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs':
      return {
        ...common(attachment, vhostTypes[host.kind]),
        ...(host.kind === 'vhost-user-blk' ? { DevType: 'b' } : {}),
        VhostUserDev: vhostUserDev(attachment, host),
      };
  }
}

function common({ id }: AttachmentRecord, type: string): DeviceState {
  return {
    ID: id,
    Type: type,
    RefCount: 1,
    AttachCount: 1,
    DevType: '',
    Major: 0,
    Minor: 0,
    ColdPlug: false,
    DriverOptions: null,
  };
}

function blockDrive(attachment: AttachmentRecord, takeIndex: (wished?: number) => number): BlockDriveState {
  const { id, host, place, guest } = attachment;
  const scsi = place.transport === 'scsi' && place.channel === 0 ? place.scsiId * 256 + place.lun : undefined;
  const Index = takeIndex(scsi);
  const isDisk = host.kind === 'block';
  return {
    File: isDisk ? host.layers[0].path : host.kind === 'pmem' ? host.path : '',
    Format: isDisk ? host.layers[0].format : 'raw',
    ID: makeNameID('drive', id),
    Index,
    MmioAddr: '',
    PCIPath: pathOf(attachment),
    SCSIAddr: scsi === undefined ? '' : getSCSIAddress(scsi),
    NvdimmID: /^\/dev\/pmem(\d+)$/.exec(guest.pmem ?? '')?.[1] ?? '',
    VirtPath: '',
    DevNo: guest.ccw ?? '',
    Pmem: host.kind === 'pmem',
  };
}

function vfioDevs(id: string, { functions }: HostVfioGroup): NonNullable<DeviceState['VFIODevs']> {
  return functions.map(({ type, address, sysfsDev }, position) => ({
    ID: makeNameID('vfio', `${id}${position}`),
    Type: type,
    BDF: type === 1 ? address : '',
    SysfsDev: sysfsDev,
  }));
}

const vhostTypes = {
  'vhost-user-blk': VhostUserBlk,
  'vhost-user-scsi': VhostUserSCSI,
  'vhost-user-net': VhostUserNet,
  'vhost-user-fs': VhostUserFS,
} as const;

function vhostUserDev(attachment: AttachmentRecord, host: HostVhostUser): VhostUserDeviceAttrsState {
  const isBlock = host.kind === 'vhost-user-blk';
  return {
    DevID: isBlock ? makeNameID('blk', attachment.id) : attachment.id,
    SocketPath: host.socket,
    Type: vhostTypes[host.kind],
    MacAddress: host.mac ?? '',
    PCIPath: pathOf(attachment),
    // The index of one that takes none.
    Index: isBlock ? -1 : 0,
  };
}

/** As v1 writes it: slots without functions. */
function pathOf({ guest, place }: AttachmentRecord): string {
  if (place.transport !== 'pci') return '';
  const slots = guest.pciPath?.split('/') ?? place.path;
  return slots.map((slot) => slot.replace(/\.\d$/, '')).join('/');
}
