import { Listeners } from './listeners.ts';
import type { QmpEvent } from './messages.ts';

/** Called for each event, in the order of the wire, before anyone awaiting a later reply goes on. */
export type QmpEventListener = (event: QmpEvent) => void;

const peripheral = '/machine/peripheral/';

/**
 * The ids of the devices that an event is about: `data.device`, and `data.path` when it is
 * `/machine/peripheral/ID`. A child such as `…/ID/virtio-backend` goes a little earlier than
 * its device and is nobody's: taking it for the device would free what the guest still uses.
 */
export function devicesOf({ data }: QmpEvent): readonly string[] {
  const device = data['device'];
  const path = data['path'];
  const ids = new Set<string>();
  if (typeof device === 'string' && device !== '') {
    ids.add(device);
  }
  if (typeof path === 'string' && path.startsWith(peripheral)) {
    const id = path.slice(peripheral.length);
    if (id !== '' && !id.includes('/')) {
      ids.add(id);
    }
  }
  return [...ids];
}

/** Hands events to the listeners for all of them and to those for one device. */
export class EventRouter {
  readonly #all = new Listeners<QmpEvent>();
  readonly #byDevice = new Map<string, Listeners<QmpEvent>>();

  /** Adds a listener for every event; the returned function removes it. */
  onEvent(listener: QmpEventListener): () => void {
    return this.#all.add(listener);
  }

  /** Adds a listener for the events about the device `id`; the returned function removes it. */
  onDeviceEvent(id: string, listener: QmpEventListener): () => void {
    const listeners = this.#byDevice.get(id) ?? new Listeners<QmpEvent>();
    this.#byDevice.set(id, listeners);
    const remove = listeners.add(listener);
    return () => {
      remove();
      if (listeners.size === 0 && this.#byDevice.get(id) === listeners) {
        this.#byDevice.delete(id);
      }
    };
  }

  dispatch(event: QmpEvent): void {
    this.#all.emit(event);
    if (this.#byDevice.size > 0) {
      for (const id of devicesOf(event)) {
        this.#byDevice.get(id)?.emit(event);
      }
    }
  }

  clear(): void {
    this.#all.clear();
    this.#byDevice.clear();
  }
}
