import type { DiskOptions } from '../api/attachment.ts';
import type { DeviceDriver } from '../api/device-type.ts';
import type { GuestAddress } from '../api/guest-address.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { Place } from '../api/place.ts';
import type { PeerCheck, Plan } from '../api/plan.ts';

/** What is to be plugged, and as what. */
export interface KindRequest<H extends HostDevice = HostDevice> {
  readonly driver: DeviceDriver;
  readonly host: H;
  readonly options: DiskOptions;
}

/** What a device needs of the VMM. */
export interface DeviceNeeds {
  readonly transport: Place['transport'];
  /** How many places: one for each function of a group. */
  readonly count: number;
  /** Names in {@link VmmFacts.features}. */
  readonly features: readonly string[];
}

export interface PlanRequest<H extends HostDevice = HostDevice> extends KindRequest<H> {
  readonly id: string;
  readonly generation: number;
  readonly serial: string;
  /** As many as were needed. */
  readonly places: readonly [Place, ...Place[]];
  readonly facts: VmmFacts;
  /** How a program behind a socket can be checked before the VMM gets to it; not at all where this is left out. */
  readonly peerChecks?: readonly PeerCheck['afterwards'][] | undefined;
}

/** One kind of device: how it is plugged, and where the guest finds it. Pure. */
export interface DeviceKind<H extends HostDevice> {
  needs(request: KindRequest<H>): DeviceNeeds;
  /**
   * Refuses what cannot be planned, before anything is done.
   * @throws VmplugError `invalid-argument`, `unsupported`
   */
  check(request: KindRequest<H>, facts: VmmFacts): void;
  plan(request: PlanRequest<H>): Plan;
  /** What is known of the guest's view by the place alone; the VMM's answers add the rest. */
  guestAddress(request: PlanRequest<H>): GuestAddress;
}
