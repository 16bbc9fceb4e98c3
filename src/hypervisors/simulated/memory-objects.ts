import type { JsonObject } from '../../api/json.ts';
import { checkId, numberOf, required, textOf } from './device-arguments.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';

const pageSize = 4096;

export interface MemoryObject {
  readonly id: string;
  readonly readOnly: boolean;
  readonly size: number;
  readonly share: boolean;
}

/**
 * The user-created objects of a machine that hold a file as memory, as `object-add` and
 * `object-del` see them. One that a device uses stays.
 */
export class MemoryObjects {
  readonly #objects = new Map<string, MemoryObject>();
  readonly #users = new Map<string, string>();
  readonly #fileSizes = new Map<string, number>();

  get names(): string[] {
    return [...this.#objects.keys()];
  }

  /** All of them, with what uses them. */
  get all(): (MemoryObject & { readonly user: string | undefined })[] {
    return [...this.#objects.values()].map((object) => ({ ...object, user: this.#users.get(object.id) }));
  }

  /** The file has so many bytes; of others QEMU makes as many as it needs. */
  setFileSize(path: string, bytes: number): void {
    this.#fileSizes.set(path, bytes);
  }

  add(args: JsonObject): void {
    const type = required(args, 'qom-type');
    if (type !== 'memory-backend-file') {
      throw new Refusal(`Parameter 'qom-type' does not accept value '${type}'`);
    }
    const id = checkId(required(args, 'id'));
    const path = required(args, 'mem-path');
    required(args, 'size');
    const size = numberOf(args, 'size');
    if (size === undefined) throw new Refusal("Parameter 'size' expects uint64");
    if (this.#objects.has(id)) {
      throw new Refusal(`attempt to add duplicate property '${id}' to object (type 'container')`);
    }
    this.#checkSize(path, Math.ceil(size / pageSize) * pageSize);
    this.#objects.set(id, {
      id,
      readOnly: args['readonly'] === true,
      size,
      share: args['share'] === true,
    });
  }

  remove(id: string): void {
    if (!this.#objects.has(id)) {
      throw new Refusal(`object '${id}' not found`, 'not-found', 'GenericError');
    }
    if (this.#users.has(id)) throw new Refusal(`object '${id}' is in use, can not be deleted`, 'in-use');
    this.#objects.delete(id);
  }

  /** Finds the object that an nvdimm is given as its memory. */
  reserve(args: JsonObject): Hold {
    const id = textOf(args, 'memdev');
    const object = this.#objects.get(id);
    if (object === undefined && id !== '') {
      throw new Refusal(`Device '${id}' not found`, 'other', 'DeviceNotFound');
    }
    return (device) => {
      if (object === undefined) throw new Refusal("'memdev' property must be set");
      if (this.#users.has(id)) throw new Refusal(`can't use already busy memdev: ${id}`);
      if (object.readOnly && args['unarmed'] !== true) {
        throw new Refusal(`'unarmed' property must be 'on' since memdev ${id} is read-only`);
      }
      this.#users.set(id, device);
    };
  }

  leave(device: string): void {
    for (const [id, user] of this.#users) if (user === device) this.#users.delete(id);
  }

  #checkSize(path: string, size: number): void {
    const has = this.#fileSizes.get(path) ?? size;
    if (has >= size) return;
    throw new Refusal(
      `backing store size 0x${has.toString(16)} does not match 'size' option 0x${size.toString(16)}`,
    );
  }
}
