import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import { DeviceKeys } from './device-keys.ts';
import { deviceKey } from './device-request.ts';

/**
 * The devices of a manager, by id and by what they are made of; nothing is searched for (W110).
 * Where saved devices have one key, the one that came first is found by it.
 */
export class DeviceTable {
  readonly #byId = new Map<string, AnyDevice>();
  readonly #byKey = new DeviceKeys();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): AnyDevice | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  find(key: string | undefined): AnyDevice | undefined {
    return key === undefined ? undefined : this.#byKey.get(key);
  }

  /** Adds a device; one of the same id is replaced. */
  add(device: AnyDevice): void {
    this.delete(device.deviceID());
    this.#byId.set(device.deviceID(), device);
    const key = keyOf(device);
    if (key !== undefined) this.#byKey.add(key, device);
  }

  delete(id: string): void {
    const device = this.#byId.get(id);
    if (device === undefined) return;
    this.#byId.delete(id);
    const key = keyOf(device);
    if (key !== undefined) this.#byKey.delete(key, device);
  }

  /** A new list, ordered by id. */
  sorted(): AnyDevice[] {
    return [...this.#byId.values()].sort((a, b) => (a.deviceID() < b.deviceID() ? -1 : 1));
  }
}

function keyOf({ info }: AnyDevice): string | undefined {
  return info === null ? undefined : deviceKey(info);
}
