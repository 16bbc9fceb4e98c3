import { VFIODeviceAPType } from '../api/device-info.ts';
import {
  Nvdimm,
  VhostUserBlk,
  VhostUserFS,
  VhostUserNet,
  VhostUserSCSI,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
  type DeviceDriver,
} from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';

/**
 * The driver that a host device is plugged as: the wanted one, or without one the kind's default
 * on this VMM, whatever else was asked for (W32).
 * @param facts of the VMM; left out, QEMU on a machine with PCI is taken
 * @throws VmplugError `invalid-argument` for a driver of another kind of device
 */
export function driverFor(host: HostDevice, wanted?: DeviceDriver, facts?: VmmFacts): DeviceDriver {
  const fitting = driversOf(host, facts);
  if (wanted === undefined) return fitting[0];
  if (fitting.includes(wanted)) return wanted;
  throw new VmplugError('invalid-argument', {
    action: `choose the driver ${wanted} for`,
    subject: host.source,
    reason: `that is no driver for a device of the kind ${host.kind}`,
    hint: `leave --driver out, or choose ${[...new Set(fitting)].join(' or ')}`,
    facts: { driver: wanted, kind: host.kind },
  });
}

/** The drivers that a kind of host device can have at all, default first. */
function driversOf(host: HostDevice, facts?: VmmFacts): readonly [DeviceDriver, ...DeviceDriver[]] {
  switch (host.kind) {
    case 'block':
      return [defaultBlockDriver(facts), VirtioBlock, VirtioSCSI, VirtioBlockCCW, VirtioMmio, Nvdimm];
    case 'pmem':
      return [Nvdimm];
    case 'vfio':
      return host.functions.every(({ type }) => type === VFIODeviceAPType) ? ['vfio-ap'] : ['vfio-pci'];
    case 'vhost-user-blk':
      return [VhostUserBlk];
    case 'vhost-user-scsi':
      return [VhostUserSCSI];
    case 'vhost-user-net':
      return [VhostUserNet];
    case 'vhost-user-fs':
      return [VhostUserFS];
  }
}

function defaultBlockDriver(facts?: VmmFacts): DeviceDriver {
  if (facts?.type === 'firecracker' || facts?.type === 'acrn') return VirtioMmio;
  return facts?.machine.startsWith('s390-ccw') === true ? VirtioBlockCCW : VirtioBlock;
}
