import type { ErrorCode } from './error-codes.ts';
import type { Evidence } from './evidence.ts';
import type { GuestAddress } from './guest-address.ts';
import type { HypervisorType } from './device-type.ts';
import type { JsonValue } from './json.ts';
import type { Bus, Place } from './place.ts';
import type { Command, PeerCheck } from './plan.ts';

/** Limits of one exchange with a VMM. */
export interface ExchangeOptions {
  /** Milliseconds; every wait has a deadline. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export type VmStatus = 'running' | 'paused' | 'not-started' | 'ended';

/** What a VMM said it can do, asked once per VM and kept with the sandbox. */
export interface VmmFacts {
  readonly type: HypervisorType;
  /** `7.2.22` */
  readonly version: string;
  /** QEMU's machine type, `pc-q35-7.2`; empty where the VMM has no such thing. */
  readonly machine: string;
  /** Names of what it can do; each VMM's folder says which it looks for. */
  readonly features: readonly string[];
  /**
   * The thread of this host that runs its first CPU, where it says: by it the VM is told from another
   * one that answers on the same socket later.
   */
  readonly thread?: number;
}

/** What is known of one device from the VMM's own answers. */
export interface Observation {
  /** The VMM has it. */
  readonly present: boolean;
  /** The strongest evidence seen now; `undefined` when it is not present. */
  readonly evidence?: Evidence;
  /** The strongest level that this device can show on this VMM. */
  readonly best: Evidence;
  readonly guest: GuestAddress;
  /**
   * Of a device that another program serves over a socket: whether that program is still there.
   * `undefined` when that was not asked.
   */
  readonly backend?: 'connected' | 'lost';
}

export interface ObserveOptions extends ExchangeOptions {
  /**
   * Leaves out what the caller does not need, where that saves questions: `evidence` the guest
   * address, for polling; `guest` the evidence, for a device that is known to be live.
   */
  readonly only?: 'evidence' | 'guest';
}

/** Names by which a guest tells devices apart, each with the VMM's id of the device that has it. */
export interface GuestNames {
  /** Tags of shared file systems. */
  readonly tags: ReadonlyMap<string, string>;
  /** Hardware addresses of network cards, in lower case. */
  readonly macs: ReadonlyMap<string, string>;
}

/** Everything in a VMM that could be ours, for settling what is not known. */
export interface Inventory {
  readonly devices: readonly string[];
  /** Back ends: block nodes, character devices. */
  readonly backends: readonly string[];
}

/** A device in a VM as the VMM tells of it, whoever plugged it. */
export interface PluggedDevice {
  /** Empty when it was made without one. */
  readonly id: string;
  /** The VMM's name of what it is: `virtio-blk-pci`. */
  readonly model: string;
  readonly bus?: string;
  /** Its number on a PCI bus. */
  readonly slot?: number;
  /** Its bus is a port, which has one place. */
  readonly isOnPort: boolean;
  /** What it uses of this host, as far as the VMM tells: paths, and addresses of PCI functions. */
  readonly uses: readonly string[];
}

/** What a VMM says of a device unasked. */
export type DeviceEvent = 'removed' | 'removal-refused';

/** What a VMM's refusal of a device means, for the user. */
export interface VmmRefusal {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint: string;
  readonly facts?: Readonly<Record<string, string | number>>;
}

/** What became of asking for a removal. */
export type UnplugReply = 'requested' | 'pending' | 'busy' | 'gone';

/** How an unplug may be asked for in this VMM, by the method of the place. */
export interface UnplugPolicy {
  /** A request sent before the guest's driver runs is lost for good: wait for it first. */
  readonly waitForGuest: boolean;
  /** Ask again after so many milliseconds of silence; `undefined` = never. */
  readonly repeatAfterMs?: number;
}

/**
 * The driver of one VMM, connected to one VM. It asks and sends; what is to be done, and in
 * which order, is decided above it.
 */
export interface Hypervisor extends AsyncDisposable {
  readonly facts: VmmFacts;
  /** @throws VmplugError `vm-gone`, `deadline-passed` */
  status(options: ExchangeOptions): Promise<VmStatus>;
  /**
   * Every bus, with what is on it. May be what was seen a moment ago, kept true by events;
   * `fresh` looks again.
   */
  buses(options: ExchangeOptions & { readonly fresh?: boolean }): Promise<Bus[]>;
  /**
   * Sends the commands in order without waiting in between; one promise for each reply. Of a batch with a
   * `peer` the signal ends the check and nothing that has gone out.
   * @throws VmplugError `vmm-refused`; `outcome-unknown` when the connection was lost after
   * the command went out; where a command has a `peer`, and then nothing went out:
   * `not-vhost-user`, `backend-silent`, `socket-not-served`, `aborted`
   */
  submit(commands: readonly Command[], options: ExchangeOptions): Promise<JsonValue>[];
  /**
   * Asks for a removal. The reply means only that the request was heard.
   * @throws VmplugError `vmm-refused`, `unplug-refused`
   */
  requestUnplug(command: Command, options: ExchangeOptions): Promise<UnplugReply>;
  /** What can become of a connection to a {@link Command.peer} that was checked; nothing where none is. */
  peerChecks?(): Promise<readonly PeerCheck['afterwards'][]>;
  unplugPolicy(place: Place): UnplugPolicy;
  /** What is known of a device now; asks, and does not wait. */
  observe(vmmId: string, place: Place, options: ObserveOptions): Promise<Observation>;
  inventory(options: ExchangeOptions): Promise<Inventory>;
  /** What was plugged while it runs and does not carry our prefix; missing where a VMM cannot tell. */
  foreignDevices?(options: ExchangeOptions): Promise<readonly PluggedDevice[]>;
  /** Those of `ids` that it has, with what they use of this host; missing where a VMM cannot tell. */
  describeDevices?(ids: readonly string[], options: ExchangeOptions): Promise<readonly PluggedDevice[]>;
  /** The names that devices in the VM have, whoever plugged them; as far as the VMM tells. */
  guestNames(options: ExchangeOptions): Promise<GuestNames>;
  /** Whether this refusal of a release means that there is nothing left to release. */
  isAlreadyReleased(error: unknown): boolean;
  /** Whether this refusal of a release means that the VMM is not quite done with it. */
  isStillInUse(error: unknown): boolean;
  /** Whether this refusal of a device means that something sits at its place. */
  isPlaceTaken(error: unknown): boolean;
  /** Whether this refusal means that another process holds the image's lock. */
  isLocked(error: unknown): boolean;
  /** Whether this refusal means that what serves the device's socket does not speak vhost-user. */
  isNotVhostUser(error: unknown): boolean;
  /** What a refusal of a device means, where its words say more than no. */
  refusalOf(error: unknown): VmmRefusal | undefined;
  /** Hears what the VMM says of a device; returns what stops the listening. */
  onDeviceEvent(vmmId: string, listener: (event: DeviceEvent) => void): () => void;
  /**
   * Lets other clients of the VMM have their turn, where it serves one at a time. The next
   * request connects again; events of the time in between are not heard.
   */
  giveWay(): Promise<void>;
  /** Hears that the connection was lost; returns what stops the listening. */
  onLost(listener: () => void): () => void;
}
