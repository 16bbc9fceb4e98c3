import type { JsonObject } from '../../api/json.ts';
import { objectOf, required, textOf } from './device-arguments.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';

/**
 * The character devices of a machine, connected to UNIX sockets, as `chardev-add` and
 * `chardev-remove` see them. Each has one user at most: a device, or a network back end.
 */
export class CharacterDevices {
  readonly #users = new Map<string, string | undefined>();
  readonly #paths = new Map<string, string>();
  readonly #lost = new Set<string>();
  readonly #silent = new Set<string>();
  readonly #handedOver = new Set<string>();

  get names(): string[] {
    return [...this.#users.keys()];
  }

  /** All of them, with their sockets. */
  get all(): { readonly id: string; readonly path: string; readonly isLost: boolean }[] {
    return this.names.map((id) => ({ id, path: this.#paths.get(id) ?? '', isLost: this.#lost.has(id) }));
  }

  /** Nobody listens on a socket. */
  silence(path: string): void {
    this.#silent.add(path);
  }

  /** The program that serves a socket ends: every connection to it is lost for good. */
  hangUp(path: string): void {
    for (const [id, connected] of this.#paths) if (connected === path) this.#lost.add(id);
  }

  /** Whether the other end of a connection is still there; `undefined` when there is none of that name. */
  connection(id: string): 'connected' | 'lost' | undefined {
    if (!this.has(id)) return undefined;
    return this.#lost.has(id) ? 'lost' : 'connected';
  }

  /** A descriptor is handed over, under a name by which one `chardev-add` uses it up. */
  takeDescriptor(name: string): void {
    this.#handedOver.add(name);
  }

  closeDescriptor(name: string): void {
    if (!this.#handedOver.delete(name)) {
      throw new Refusal(`File descriptor named '${name}' not found`, 'not-found', 'GenericError');
    }
  }

  add(args: JsonObject): void {
    const id = required(args, 'id');
    required(args, 'backend');
    if (this.#users.has(id)) throw new Refusal(`Chardev with id '${id}' already exists`);
    const address = objectOf(objectOf(objectOf(args, 'backend'), 'data'), 'addr');
    // Of a descriptor nobody here knows where it leads to.
    const path = textOf(objectOf(address, 'data'), 'path');
    const descriptor = textOf(objectOf(address, 'data'), 'str');
    if (textOf(address, 'type') === 'fd' && !this.#handedOver.delete(descriptor)) {
      const reason = `File descriptor named '${descriptor}' has not been found`;
      throw new Refusal(`Failed to add chardev '${id}': ${reason}`);
    }
    if (this.#silent.has(path)) {
      throw new Refusal(
        `Failed to add chardev '${id}': Failed to connect to '${path}': No such file or directory`,
      );
    }
    this.#users.set(id, undefined);
    this.#paths.set(id, path);
  }

  remove(id: string): void {
    if (!this.#users.has(id)) throw new Refusal(`Chardev '${id}' not found`, 'not-found', 'GenericError');
    if (this.isBusy(id)) throw new Refusal(`Chardev '${id}' is busy`, 'in-use');
    this.#forget(id);
  }

  has(id: string): boolean {
    return this.#users.has(id);
  }

  isBusy(id: string): boolean {
    return this.#users.get(id) !== undefined;
  }

  use(id: string, user: string): void {
    this.#users.set(id, user);
  }

  /** It goes with the network back end that used it. */
  drop(id: string): void {
    this.#forget(id);
  }

  /** Finds the character device that a device of `model` is given; `missing` is what it says without. */
  reserve(args: JsonObject, model: string, missing: string): Hold {
    const id = textOf(args, 'chardev');
    const property = `Property '${model}.chardev'`;
    if (id !== '' && !this.has(id)) throw new Refusal(`${property} can't find value '${id}'`);
    if (this.isBusy(id)) throw new Refusal(`${property} can't take value '${id}': Device '${id}' is in use`);
    return (device) => {
      if (id === '') throw new Refusal(missing);
      this.use(id, device);
    };
  }

  leave(device: string): void {
    for (const [id, user] of this.#users) if (user === device) this.#users.set(id, undefined);
  }

  #forget(id: string): void {
    this.#users.delete(id);
    this.#paths.delete(id);
    this.#lost.delete(id);
  }
}
