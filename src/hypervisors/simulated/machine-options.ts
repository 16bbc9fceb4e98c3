import type { Evidence } from '../../api/evidence.ts';
import type { UnplugPolicy, VmmFacts, VmStatus } from '../../api/hypervisor.ts';
import type { Place } from '../../api/place.ts';
import type { SimulatedBus } from './simulated-buses.ts';

/** What the guest does of itself. */
export interface GuestBehaviour {
  /** How far it takes a device that is plugged while it runs. */
  readonly onPlug: Evidence;
  /** What it does when it is asked to let go. */
  readonly onUnplug: 'lets-go' | 'refuses' | 'ignores';
}

export interface SimulatedMachineOptions {
  readonly name?: string;
  readonly facts?: VmmFacts;
  /** Four root ports and a SCSI controller by default. */
  readonly buses?: readonly SimulatedBus[];
  readonly guest?: Partial<GuestBehaviour>;
  readonly unplugPolicy?: (place: Place) => UnplugPolicy;
  readonly status?: VmStatus;
}

/** A device as the machine has it. */
export interface SimulatedDevice {
  readonly id: string;
  readonly place: Place;
  readonly evidence: Evidence;
  /** A removal was requested and the guest has not answered. */
  readonly leaving: boolean;
}

/** What a simulated machine can do by default: what a QEMU of today can. */
export const simulatedFacts: VmmFacts = {
  type: 'mock',
  version: '1.0.0',
  machine: 'simulated',
  features: [
    ...['device:virtio-blk-pci', 'device:scsi-hd', 'format:raw', 'format:qcow2', 'aio:threads', 'aio:native'],
    ...['virtio-blk-pci', 'scsi-hd'].flatMap((model) =>
      ['serial', 'share-rw', 'write-cache'].map((name) => `property:${model}.${name}`),
    ),
  ],
};
