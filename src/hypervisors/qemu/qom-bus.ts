import { slotText } from '../../api/place.ts';
import type { MemorySlots } from './memory-slots.ts';

/** One bus as the object model of QEMU shows it. */
export interface QomBus {
  /** The name that `device_add` takes. */
  readonly name: string;
  readonly path: string;
  readonly type: 'PCI' | 'PCIE' | 'SCSI' | 'virtual-css-bus' | 'ap-bus';
  /** QOM path of what handles hot-plug on it; empty when nothing does. */
  readonly handler: string;
  readonly handlerType: string;
  /** Whether ACPI hot-plug knows the bus (`acpi-pcihp-bsel`). */
  readonly acpi: boolean;
  /** The bridge or controller that the bus belongs to; `undefined` for a root bus. */
  readonly parent?: QomDevice;
  /** Slots from the root bus down to `parent`, as in a {@link Place}. */
  readonly slots: readonly string[];
  readonly devices: readonly QomDevice[];
}

/** One device on a bus. */
export interface QomDevice {
  readonly path: string;
  /** Empty when it was made without one. */
  readonly id: string;
  readonly type: string;
  /** Its own properties, as far as they say where it is and whether it takes hot-plug. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** A bridge with one slot behind it: it has a `chassis`. */
  readonly isPort: boolean;
}

/** Everything in a machine that has places. */
export interface FoundBuses {
  readonly buses: readonly QomBus[];
  /** `undefined` when machines of this kind take no nvdimm. */
  readonly memory?: MemorySlots;
}

/** `02`, or `02.1` where the function isn't 0, from QEMU's devfn. */
export function slotOf(devfn: number): string {
  const slot = slotText(devfn >> 3);
  return (devfn & 7) === 0 ? slot : `${slot}.${devfn & 7}`;
}
