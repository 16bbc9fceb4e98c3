import type { BlockDrive, VFIODev, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import { VmplugError } from '../../api/errors.ts';
import { PciPath } from '../../api/pci-path.ts';
import type { StateFields } from './state-fields.ts';

/** Reads a saved `BlockDrive`; what v1 doesn't save is false. */
export function readDrive(fields: StateFields): BlockDrive {
  return {
    File: fields.text('File'),
    Format: fields.text('Format'),
    ID: fields.text('ID'),
    Index: fields.whole('Index', -1),
    MmioAddr: fields.text('MmioAddr'),
    PCIPath: readPciPath(fields),
    SCSIAddr: fields.text('SCSIAddr'),
    NvdimmID: fields.text('NvdimmID'),
    VirtPath: fields.text('VirtPath'),
    DevNo: fields.text('DevNo'),
    ShareRW: false,
    ReadOnly: false,
    Pmem: fields.flag('Pmem'),
  };
}

/** Reads a saved member of an IOMMU group; what v1 doesn't save is empty. */
export function readMember(fields: StateFields): VFIODev {
  return {
    IsPCIe: false,
    Type: fields.oneOf('Type', [0, 1, 2, 3] as const, 0),
    ID: fields.text('ID'),
    BDF: fields.text('BDF'),
    SysfsDev: fields.text('SysfsDev'),
    VendorID: '',
    DeviceID: '',
    Class: '',
    Bus: '',
  };
}

/** Reads the saved attributes of a vhost-user device; what v1 doesn't save is empty. */
export function readVhostUser(fields: StateFields, type: VhostUserDeviceAttrs['Type']): VhostUserDeviceAttrs {
  return {
    DevID: fields.text('DevID'),
    SocketPath: fields.text('SocketPath'),
    Type: type,
    MacAddress: fields.text('MacAddress'),
    Tag: '',
    CacheSize: 0,
    Cache: '',
    PCIPath: readPciPath(fields),
    Index: fields.whole('Index', -1),
  };
}

/** v1 writes every path as `{}`. */
function readPciPath(fields: StateFields): PciPath {
  const value = fields.get('PCIPath');
  if (typeof value === 'string') {
    try {
      return PciPath.parse(value);
    } catch (error) {
      if (error instanceof VmplugError) return fields.refuse('PCIPath', `not a PCI path: ${error.reason}`);
      throw error;
    }
  }
  const isNil = value === undefined || value === null || (typeof value === 'object' && isEmpty(value));
  return isNil ? PciPath.nil : fields.refuse('PCIPath', 'not a PCI path');
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
