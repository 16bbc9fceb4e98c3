import { defaultDeviceConfig, type DeviceConfig } from '../api/config.ts';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { Device } from '../api/device.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import type { HypervisorType } from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDevice, HostIdentity } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import { placeKey, type Bus } from '../api/place.ts';
import { unitsOf, type Plan } from '../api/plan.ts';
import { checkDevice, deviceNeeds } from '../devices/kinds.ts';
import { claimsAgree } from '../host/claim-modes.ts';
import { choosePlaces } from '../operations/choose-place.ts';
import { draftAttachment } from '../operations/draft-attachment.ts';
import type { BlockIndexes } from './block-indexes.ts';
import { cacheOptions } from './cache-options.ts';
import { pluggable, type HostTrees } from './host-device-of.ts';
import { IndexedReceiver } from './indexed-receiver.ts';
import { writeBack } from './write-back.ts';

export interface BootReceiverOptions {
  /** The name that the VM will have. */
  readonly name: string;
  /** What the VMM can do. */
  readonly facts: VmmFacts;
  /** The places that the VM will have. */
  readonly buses: readonly Bus[];
  readonly indexes?: BlockIndexes;
  readonly config?: DeviceConfig;
  readonly trees?: HostTrees;
}

/**
 * A VM that has not started, as v1's `DeviceReceiver`: `appendDevice` adds to its boot
 * configuration. The devices get their places and names as if they were plugged, so that they
 * can be unplugged like any other once the VM runs.
 */
export class BootReceiver extends IndexedReceiver implements DeviceReceiver {
  readonly #options: BootReceiverOptions;
  readonly #config: DeviceConfig;
  readonly #attachments = new Map<string, AttachmentRecord>();

  constructor(options: BootReceiverOptions) {
    super(options.indexes);
    this.#options = options;
    this.#config = options.config ?? defaultDeviceConfig;
  }

  /** What the VM is to boot with, in the order in which it was added. */
  get attachments(): AttachmentRecord[] {
    return [...this.#attachments.values()];
  }

  /** Their plans; the VMM's driver makes boot parameters of them. */
  get plans(): Plan[] {
    return this.attachments.map(({ plan }) => plan);
  }

  /**
   * Adds a device to the boot configuration, a group with all its members.
   * @throws VmplugError `already-attached`, `no-free-place`, `unsupported`, and as the resolving
   * of its host device; nothing is added then
   */
  async appendDevice(device: Device): Promise<void> {
    const id = device.deviceID();
    const wanted = pluggable(device, this.#config.block_device_driver, this.#options.trees);
    if (wanted === undefined) throw this.#refusal(device, 'a generic device is not passed to the guest');
    const host = await wanted.resolve(() => undefined);
    const { driver } = wanted;
    const { name, facts, buses } = this.#options;
    const options = device.deviceType() === 'block' ? cacheOptions(this.#config) : {};
    checkDevice({ driver, host, options }, facts);
    this.#refuseSecond(device, host.identities);
    const places = choosePlaces(buses, deviceNeeds({ driver, host, options }), this.#taken(), name);
    const attachment = draftAttachment(name, { id, generation: 1, driver, host, options, places, facts });
    this.#attachments.set(id, attachment);
    writeBack(device, attachment);
  }

  /** @throws VmplugError `unsupported`: there is no VM yet to plug into */
  async hotplugAddDevice(device: Device): Promise<void> {
    return Promise.reject(this.#refusal(device, 'the VM has not started'));
  }

  /** Takes a device out of the boot configuration again. */
  async hotplugRemoveDevice(device: Device): Promise<void> {
    this.#attachments.delete(device.deviceID());
    return Promise.resolve();
  }

  getHypervisorType(): HypervisorType {
    return this.#options.facts.type;
  }

  #taken(): Set<string> {
    return new Set(this.attachments.flatMap((one) => unitsOf(one).map(({ place }) => placeKey(place))));
  }

  /** What the claims of a running VM would refuse, and the same host device twice however it is opened. */
  #refuseSecond(device: Device, identities: HostDevice['identities']): void {
    const other = this.attachments.find(
      ({ id, host }) =>
        id === device.deviceID() ||
        host.identities[0].key === identities[0].key ||
        clash(host.identities, identities),
    );
    if (other === undefined) return;
    throw new VmplugError('already-attached', {
      action: 'add to the boot configuration',
      subject: other.source,
      reason: `it is in there already, as ${other.id}`,
      facts: { holder: this.#options.name, device: other.id },
    });
  }

  #refusal(device: Device, reason: string): VmplugError {
    return new VmplugError('unsupported', {
      action: `use the ${device.deviceType()} device`,
      subject: device.deviceID(),
      reason: `${this.#options.name}: ${reason}`,
      hint: 'appendDevice takes what the VM is to boot with',
    });
  }
}

function clash(some: readonly HostIdentity[], others: readonly HostIdentity[]): boolean {
  return some.some(({ key, mode }) =>
    others.some((other) => other.key === key && !claimsAgree(other.mode, mode)),
  );
}
