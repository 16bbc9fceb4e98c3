import type { JsonValue } from '../../api/json.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';

/** The longest node name of QEMU, in bytes. */
const longestNodeName = 31;

export interface Node {
  readonly name: string;
  readonly filename: string | undefined;
  readonly format: string;
  readonly readOnly: boolean;
  readonly below: readonly Node[];
}

interface NodeUser {
  readonly device: string;
  /** QEMU's name of what opens the node: `virtio-blk-device`. */
  readonly model: string;
  /** Whether it lets others write (`share-rw`). */
  readonly isShared: boolean;
}

/**
 * The block nodes of a machine, as `blockdev-add` and `blockdev-del` see them: names are unique,
 * a node that a device uses stays, and a file that another process has locked refuses writers.
 */
export class BlockLayer {
  readonly #nodes = new Map<string, Node>();
  readonly #users = new Map<string, NodeUser>();
  readonly #locked = new Set<string>();

  /** Names of all nodes, those of files and backing images too. */
  get names(): string[] {
    return [...this.#nodes.values()].flatMap(namesOf);
  }

  /** The nodes that were added, with those below in each. */
  get all(): Node[] {
    return [...this.#nodes.values()];
  }

  /** Another process has the file open for writing. */
  lock(filename: string): void {
    this.#locked.add(filename);
  }

  unlock(filename: string): void {
    this.#locked.delete(filename);
  }

  add(options: JsonValue | undefined): void {
    const node = readNode(options);
    // What is below is opened first.
    const names = namesOf(node).toReversed();
    const known = new Set(this.names);
    for (const [index, name] of names.entries()) {
      if (Buffer.byteLength(name) > longestNodeName) throw new Refusal(`Node name '${name}' too long`);
      if (known.has(name) || names.indexOf(name) !== index) {
        throw new Refusal(`Duplicate nodes with node-name='${name}'`);
      }
    }
    // QEMU takes the lock of a qcow2 image when it opens it, of a raw one when a device uses it.
    if (node.format !== 'raw') this.#checkLock(node);
    this.#nodes.set(node.name, node);
  }

  remove(name: string): void {
    const node = this.#nodes.get(name);
    if (node === undefined) {
      if (this.names.includes(name)) throw new Refusal(`Node ${name} is not owned by the monitor`);
      throw new Refusal(`Failed to find node with node-name='${name}'`, 'not-found', 'GenericError');
    }
    if (this.#users.has(name)) throw new Refusal(`Node ${name} is in use`, 'in-use');
    this.#nodes.delete(name);
  }

  /** Finds the node that a device of `model` is given as its drive. */
  reserve(name: string, model: string, isShared = false): Hold {
    const node = this.#nodes.get(name);
    if (node === undefined && name !== '') {
      throw new Refusal(`Property '${model}.drive' can't find value '${name}'`);
    }
    return (device) => {
      if (node === undefined) throw new Refusal('drive property not set');
      this.#use(node, { device, model, isShared });
    };
  }

  #use(node: Node, user: NodeUser): void {
    const { name } = node;
    const other = this.#users.get(name);
    if (other !== undefined) throw new Refusal(conflictText(name, user, other));
    this.#checkLock(node);
    this.#users.set(name, user);
  }

  /** A device is gone, and with it its use of a node. */
  leave(device: string): void {
    for (const [name, user] of this.#users) if (user.device === device) this.#users.delete(name);
  }

  #checkLock(node: Node): void {
    const file = node.below[0]?.filename ?? node.filename;
    if (file === undefined || !this.#locked.has(file)) return;
    throw new Refusal(
      node.readOnly ? 'Failed to get shared "write" lock' : 'Failed to get "write" lock',
      'locked',
    );
  }
}

/** The one who does not share is said to have forbidden it; of two such it is the new one. */
function conflictText(name: string, user: NodeUser, other: NodeUser): string {
  const [writer, keeper] = user.isShared ? [user, other] : [other, user];
  const child = `(uses node '${name}' as 'root' child)`;
  return (
    `Permission conflict on node '${name}': permissions 'write' are both required by ` +
    `block device '${blockDevice(writer)}' ${child} and unshared by block device '${blockDevice(keeper)}' ${child}.`
  );
}

/** A virtio disk is the device inside of the one that was plugged. */
function blockDevice({ device, model }: NodeUser): string {
  return model.endsWith('-device') ? `/machine/peripheral/${device}/virtio-backend` : device;
}

function namesOf(node: Node): string[] {
  return [node.name, ...node.below.flatMap(namesOf)];
}

function readNode(value: JsonValue | undefined): Node {
  if (typeof value !== 'object' || value === null || !('driver' in value)) {
    throw new Refusal("Parameter 'driver' is missing");
  }
  const text = (key: string): string | undefined => (typeof value[key] === 'string' ? value[key] : undefined);
  const name = text('node-name');
  if (name === undefined) throw new Refusal("'node-name' must be specified for the root node");
  const below = [value['file'], value['backing']].filter((child) => child !== undefined && child !== null);
  return {
    name,
    filename: text('filename'),
    format: text('driver') ?? '',
    readOnly: value['read-only'] === true,
    below: below.map(readNode),
  };
}
