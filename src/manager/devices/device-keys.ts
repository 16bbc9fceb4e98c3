import type { AnyDevice } from '../../devices/managed/counted-device.ts';

/** Given-up keys that are kept however few devices there are. */
const leastGivenUp = 64;

/**
 * Devices by a key of which two may have the same: the one that came first is found by it.
 *
 * A device that comes and goes brings the same key each time. V8 leaves a deleted entry of a `Map`
 * in the chain of its hash until it rebuilds the table, and a lookup of the key walks over all of
 * them: thousands, where there are thousands of devices. So a key that is given up keeps its
 * entry, without a device, until more are given up than in use.
 */
export class DeviceKeys {
  #devices = new Map<string, AnyDevice | undefined>();
  #givenUp = 0;

  /** How many keys are kept, given up ones too. */
  get size(): number {
    return this.#devices.size;
  }

  get(key: string): AnyDevice | undefined {
    return this.#devices.get(key);
  }

  add(key: string, device: AnyDevice): void {
    if (this.#devices.get(key) !== undefined) return;
    if (this.#devices.has(key)) this.#givenUp -= 1;
    this.#devices.set(key, device);
  }

  /** Gives up the key where it is the device's. */
  delete(key: string, device: AnyDevice): void {
    if (this.#devices.get(key) !== device) return;
    this.#devices.set(key, undefined);
    this.#givenUp += 1;
    if (this.#givenUp > leastGivenUp + this.#devices.size - this.#givenUp) this.#sweep();
  }

  #sweep(): void {
    this.#devices = new Map([...this.#devices].filter(([, device]) => device !== undefined));
    this.#givenUp = 0;
  }
}
