import type { JsonObject } from '../../api/json.ts';
import { BlockLayer } from './block-layer.ts';
import { CharacterDevices } from './character-devices.ts';
import { required } from './device-arguments.ts';
import { HostFunctions, type HostFunctionState } from './host-functions.ts';
import { MemoryObjects } from './memory-objects.ts';
import { NetworkBackEnds } from './network-back-ends.ts';

/** Everything in a machine that devices are made from. */
export class BackEnds {
  readonly nodes = new BlockLayer();
  readonly objects = new MemoryObjects();
  readonly chardevs = new CharacterDevices();
  readonly netdevs = new NetworkBackEnds(this.chardevs);
  readonly functions: HostFunctions;
  readonly #commands: ReadonlyMap<string, (args: JsonObject) => void> = new Map([
    ['blockdev-add', (args) => this.nodes.add(args)],
    ['blockdev-del', (args) => this.nodes.remove(required(args, 'node-name'))],
    ['object-add', (args) => this.objects.add(args)],
    ['object-del', (args) => this.objects.remove(required(args, 'id'))],
    ['chardev-add', (args) => this.chardevs.add(args)],
    ['chardev-remove', (args) => this.chardevs.remove(required(args, 'id'))],
    ['getfd', (args) => this.chardevs.takeDescriptor(required(args, 'fdname'))],
    ['closefd', (args) => this.chardevs.closeDescriptor(required(args, 'fdname'))],
    ['netdev_add', (args) => this.netdevs.add(args)],
    ['netdev_del', (args) => this.netdevs.remove(required(args, 'id'))],
  ]);

  constructor(functions?: readonly HostFunctionState[]) {
    this.functions = new HostFunctions(functions);
  }

  /** Names of all; one that is used for two of different sorts is there once. */
  get names(): string[] {
    const sorts = [this.nodes, this.objects, this.chardevs, this.netdevs];
    return [...new Set(sorts.flatMap(({ names }) => names))];
  }

  /** What carries out a command on back ends; `undefined` when it is none. */
  command(name: string): ((args: JsonObject) => void) | undefined {
    return this.#commands.get(name);
  }

  /** A device is gone, and with it its use of anything. */
  leave(device: string): void {
    for (const sort of [this.nodes, this.objects, this.chardevs, this.netdevs, this.functions]) {
      sort.leave(device);
    }
  }
}
