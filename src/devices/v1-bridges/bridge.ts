import { VmplugError } from '../../api/errors.ts';
import { LowestFree } from './lowest-free.ts';

/** Devices that a bridge of a type takes, in slots from 1 (v1's `types/bridges.go`). */
const capacities: ReadonlyMap<string, number> = new Map([
  ['pci', 30],
  ['pcie', 30],
  ['ccw', 65_535],
]);

/** A bus of v1's for hot-plug: a PCI bridge, or a channel subsystem. */
export class Bridge {
  readonly type: string;
  readonly id: string;
  /** The bridge's own slot; for `ccw` the number of the channel subsystem. */
  readonly addr: number;
  /** 0 for a type that is not known. */
  readonly capacity: number;
  readonly #bySlot: Map<number, string>;
  readonly #byDevice = new Map<string, number[]>();
  readonly #free: LowestFree;

  /** @param devices what is in which slot already, as v1 saved it */
  constructor(type: string, id: string, addr = 0, devices: Iterable<readonly [number, string]> = []) {
    this.type = type;
    this.id = id;
    this.addr = addr;
    this.capacity = capacities.get(type) ?? 0;
    this.#bySlot = new Map(devices);
    for (const [slot, device] of this.#bySlot) this.#remember(device, slot);
    this.#free = new LowestFree(1, this.capacity, this.#bySlot.keys());
  }

  /** What is in which slot. */
  get devices(): ReadonlyMap<number, string> {
    return this.#bySlot;
  }

  /**
   * Puts a device into the lowest free slot; the same one may be added again.
   * @returns the slot, from 1
   * @throws VmplugError `no-free-place`
   */
  addDevice(device: string): number {
    const slot = this.#free.take();
    if (slot === undefined) {
      throw new VmplugError('no-free-place', {
        action: 'add a device to the bridge',
        subject: this.id,
        reason:
          this.capacity === 0
            ? `a bridge of type ${this.type} takes no devices`
            : `all ${this.capacity} slots are taken`,
        hint: 'detach something, or start the VM with more bridges',
        facts: { device, total: this.capacity },
      });
    }
    this.#bySlot.set(slot, device);
    this.#remember(device, slot);
    return slot;
  }

  /**
   * Takes a device out of its slot, of several the one that it was first put into.
   * @throws VmplugError `device-not-found`
   */
  removeDevice(device: string): void {
    const [slot, ...others] = this.#byDevice.get(device) ?? [];
    if (slot === undefined) {
      throw new VmplugError('device-not-found', {
        action: 'remove from the bridge',
        subject: device,
        reason: `${this.id} does not have it`,
        facts: { bridge: this.id },
      });
    }
    if (others.length === 0) this.#byDevice.delete(device);
    else this.#byDevice.set(device, others);
    this.#bySlot.delete(slot);
    this.#free.free(slot);
  }

  #remember(device: string, slot: number): void {
    this.#byDevice.set(device, [...(this.#byDevice.get(device) ?? []), slot]);
  }
}
