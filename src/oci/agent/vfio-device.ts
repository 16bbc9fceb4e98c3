import { VFIODeviceAPType, type VFIODev } from '../../api/device-info.ts';
import type { PciPath } from '../../api/pci-path.ts';
import { addressUnknown, notAttached, unsupportedMessage } from './guest-address-errors.ts';
import type { AgentDevice } from './messages.ts';

/**
 * How the agent of Kata Containers 2 and later is told of VFIO devices
 * (`src/agent/src/device/vfio_device_handler.rs` of kata-containers).
 */
export interface Kata2Vfio {
  /**
   * Its `vfio_mode`. `guest-kernel`: a driver of the guest's takes the device. `vfio`: the
   * container gets it as a VFIO node of the guest's.
   */
  readonly mode: 'guest-kernel' | 'vfio';
  /** The guest's PCI path of a function, as the VMM has it now. */
  readonly guestPciPath: (member: VFIODev) => PciPath | undefined;
  /** The queues of an AP device (`xx.xxxx`), the same on the host and in the guest. */
  readonly apQueues?: (member: VFIODev) => readonly string[];
}

/**
 * One message for an IOMMU group: its number as the id, and an option
 * `<PCI address on the host>=<PCI path in the guest>` for each function; for AP devices an
 * option for each queue.
 * @throws VmplugError `device-not-attached`, `guest-address-unknown`; `unsupported` for what
 * has no PCI address on the host, and for AP devices beside functions
 */
export function vfioDevice(members: readonly VFIODev[], containerPath: string, vfio: Kata2Vfio): AgentDevice {
  if (members.length === 0) throw notAttached(containerPath);
  const ap = members.filter((member) => member.Type === VFIODeviceAPType);
  const [first] = ap;
  if (first !== undefined && ap.length < members.length) {
    throw unsupportedMessage(
      { containerPath, device: first.ID },
      'its group has AP devices and others',
      'give them in groups of their own',
    );
  }
  return {
    id: containerPath.split('/').at(-1) ?? '',
    type: first !== undefined ? 'vfio-ap' : vfio.mode === 'vfio' ? 'vfio-pci' : 'vfio-pci-gk',
    vm_path: '',
    container_path: containerPath,
    options: members.flatMap((member) =>
      first !== undefined ? queues(member, containerPath, vfio) : [pciOption(member, containerPath, vfio)],
    ),
  };
}

const fullAddress = /^[0-9a-f]{4,}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/i;

function pciOption(member: VFIODev, containerPath: string, vfio: Kata2Vfio): string {
  const named = { containerPath, device: member.ID };
  if (!fullAddress.test(member.BDF)) {
    throw unsupportedMessage(
      named,
      `${member.ID} has no PCI address on the host but ${JSON.stringify(member.BDF)}`,
      'the agent is told of PCI functions by their address with its domain, of other devices not at all',
    );
  }
  const path = vfio.guestPciPath(member);
  if (path === undefined || path.isNil()) throw addressUnknown(named, 'PCI path in the guest');
  return `${member.BDF}=${path.toString()}`;
}

function queues(member: VFIODev, containerPath: string, vfio: Kata2Vfio): readonly string[] {
  const found = vfio.apQueues?.(member) ?? [];
  if (found.length === 0) throw addressUnknown({ containerPath, device: member.ID }, 'AP queues');
  return found;
}
