import type { Evidence } from '../../api/evidence.ts';
import type { UnplugPolicy, VmmFacts, VmStatus } from '../../api/hypervisor.ts';
import type { JsonObject } from '../../api/json.ts';
import type { Place } from '../../api/place.ts';
import type { HostFunctionState } from './host-functions.ts';
import type { MachineGuest } from './machine-guest.ts';
import type { MachineWords } from './machine-words.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import type { SimulatedPlace } from './simulated-places.ts';

/** What the guest does of itself. */
export interface GuestBehaviour {
  /** How far it takes a device that is plugged while it runs. */
  readonly onPlug: Evidence;
  /** What it does when it is asked to let go. */
  readonly onUnplug: 'lets-go' | 'refuses' | 'ignores';
}

export interface SimulatedMachineOptions {
  readonly name?: string;
  /** What it can do: everything by default. What is left out it refuses as QEMU does. */
  readonly facts?: VmmFacts;
  /** Four root ports and a SCSI controller by default; `everyBus()` has room for all kinds. */
  readonly buses?: readonly SimulatedBus[];
  /** What the host lets it have through VFIO: everything by default. */
  readonly functions?: readonly HostFunctionState[];
  readonly guest?: Partial<GuestBehaviour>;
  /** A guest that does things in its own time; `guest` then says nothing. */
  readonly guestModel?: MachineGuest;
  /** What differs from version to version of QEMU; those of 7.2 by default. */
  readonly words?: MachineWords;
  readonly unplugPolicy?: (place: Place) => UnplugPolicy;
  readonly status?: VmStatus;
}

/** A device as the machine has it. */
export interface SimulatedDevice {
  readonly id: string;
  /** QEMU's name of what it is: `virtio-blk-pci`. */
  readonly model: string;
  /** The strongest evidence that the VMM can give of it. */
  readonly best: Evidence;
  readonly place: SimulatedPlace;
  /** What `device_add` was given. */
  readonly arguments: JsonObject;
  readonly evidence: Evidence;
  /** What the guest tells it by, where its model has such a name. */
  readonly tag?: string;
  readonly mac?: string;
  /** A removal was requested and the guest has not answered. */
  readonly leaving: boolean;
}
