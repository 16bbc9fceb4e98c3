import type { UnplugMethod } from '../../api/place.ts';

interface BusBase {
  readonly name: string;
  readonly refuses?: string;
}

/** A bus of a simulated machine. */
export type SimulatedBus = BusBase &
  (
    | {
        readonly transport: 'pci';
        /** Slots that take devices; a root port has slot 0 only. */
        readonly slots: readonly number[];
        readonly unplug: UnplugMethod;
      }
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
