import type { JsonObject } from '../../api/json.ts';
import type { CharacterDevices } from './character-devices.ts';
import { required, textOf } from './device-arguments.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';

/** Types that take no character device are let through as they are. */
const otherTypes = ['tap', 'user'];

/**
 * The network back ends of a machine, as `netdev_add` and `netdev_del` see them. Deleting one
 * deletes its character device too, and succeeds while a card uses it: see {@link isOrphan}.
 */
export class NetworkBackEnds {
  readonly #chardevs: CharacterDevices;
  readonly #chardevOf = new Map<string, string>();
  readonly #users = new Map<string, string>();
  readonly #orphans = new Set<string>();

  constructor(chardevs: CharacterDevices) {
    this.#chardevs = chardevs;
  }

  get names(): string[] {
    return [...this.#chardevOf.keys()];
  }

  add(args: JsonObject): void {
    const type = required(args, 'type');
    const id = required(args, 'id');
    if (type !== 'vhost-user' && !otherTypes.includes(type)) {
      throw new Refusal(`Parameter 'type' does not accept value '${type}'`);
    }
    const chardev = type === 'vhost-user' ? required(args, 'chardev') : '';
    if (this.#chardevOf.has(id)) throw new Refusal(`Duplicate ID '${id}'`);
    if (chardev !== '') this.#takeChardev(chardev, id);
    this.#chardevOf.set(id, chardev);
  }

  remove(id: string): void {
    const chardev = this.#chardevOf.get(id);
    if (chardev === undefined) throw new Refusal(`Device '${id}' not found`, 'not-found');
    this.#chardevOf.delete(id);
    if (chardev !== '') this.#chardevs.drop(chardev);
    const user = this.#users.get(id);
    this.#users.delete(id);
    if (user !== undefined) this.#orphans.add(user);
  }

  /** Finds the back end that a card is given. One without any is a card without a cable. */
  reserve(args: JsonObject): Hold {
    const id = textOf(args, 'netdev');
    const property = "Property 'virtio-net-device.netdev'";
    if (id === '') return () => undefined;
    if (!this.#chardevOf.has(id)) throw new Refusal(`${property} can't find value '${id}'`);
    if (this.#users.has(id)) throw new Refusal(`${property} can't take value '${id}', it's in use`);
    return (device) => void this.#users.set(id, device);
  }

  /** The back end was deleted under that card: QEMU 7.2 aborts when the card is removed. */
  isOrphan(device: string): boolean {
    return this.#orphans.has(device);
  }

  leave(device: string): void {
    for (const [id, user] of this.#users) if (user === device) this.#users.delete(id);
  }

  #takeChardev(chardev: string, id: string): void {
    if (!this.#chardevs.has(chardev)) throw new Refusal(`chardev "${chardev}" not found`);
    if (this.#chardevs.isBusy(chardev)) throw new Refusal("Device 'vhost-user' could not be initialized");
    this.#chardevs.use(chardev, `netdev ${id}`);
  }
}
