import type { UnplugMethod } from '../../api/place.ts';

interface BusBase {
  readonly name: string;
  readonly refuses?: string;
}

interface PciBusPart {
  readonly transport: 'pci';
  /** Slots that take devices; a root port has slot 0 only. */
  readonly slots: readonly number[];
  readonly unplug: UnplugMethod;
  /** A root port, which some versions let a second device on. */
  readonly isPort?: boolean;
  /** Where a device goes that is given no bus. */
  readonly isRoot?: boolean;
}

export type PciBus = BusBase & PciBusPart;

/** A bus of a simulated machine. */
export type SimulatedBus = BusBase &
  (
    | PciBusPart
    | {
        readonly transport: 'scsi';
        readonly controller: string;
        /** Units on target 0. */
        readonly units: number;
      }
    /** The channel subsystem. */
    | { readonly transport: 'ccw' }
    /** Slots for memory devices. QEMU has no bus of that name: `device_add` cannot be given it. */
    | { readonly transport: 'memory'; readonly slots: number }
    /** Takes one device. */
    | { readonly transport: 'ap' }
  );
