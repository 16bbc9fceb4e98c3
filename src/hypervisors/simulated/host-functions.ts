import type { JsonObject } from '../../api/json.ts';
import { textOf } from './device-arguments.ts';
import type { Hold } from './hold.ts';
import { Refusal } from './simulated-errors.ts';

/** A PCI function, mediated device or AP matrix of the host, and whether it can be opened. */
export interface HostFunctionState {
  /** `0000:3b:00.0`, or the UUID of a mediated device. */
  readonly address: string;
  /** Its IOMMU group: the number of the node below `/dev/vfio`. */
  readonly group: number;
  /** What opening it fails with; it can be opened when this is left out. */
  readonly fails?:
    'No such file or directory' | 'Device or resource busy' | 'Permission denied' | 'not viable';
}

const hostAddress = /^(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}:[0-9a-f]{1,2}\.[0-7])$/i;

/** What the host lets a machine have through VFIO. Each is plugged once. */
export class HostFunctions {
  readonly #states: Map<string, HostFunctionState>;
  readonly #hasAll: boolean;
  readonly #users = new Map<string, string>();

  /** Without `states` the host has every function that is asked for. */
  constructor(states?: readonly HostFunctionState[]) {
    this.#states = new Map((states ?? []).map((state) => [state.address, state]));
    this.#hasAll = states === undefined;
  }

  /** The host has this function, as it is described, from here on. */
  put(state: HostFunctionState): void {
    this.#states.set(state.address, state);
  }

  /** Finds the function that a `vfio-pci` is given by `host` or `sysfsdev`. */
  reserve(args: JsonObject): Hold {
    const [sysfsDev, host] = [textOf(args, 'sysfsdev'), textOf(args, 'host')];
    const parts = hostAddress.exec(host);
    if (host !== '' && parts === null) {
      throw new Refusal(`Property 'vfio-pci.host' doesn't take value '${host}'`);
    }
    const address = `${(parts?.[1] ?? '0').padStart(4, '0')}:${parts?.[2]?.toLowerCase() ?? ''}`;
    const path = sysfsDev === '' && host !== '' ? `/sys/bus/pci/devices/${address}` : sysfsDev;
    return (device) => {
      if (path === '') throw new Refusal('No provided host device');
      this.#open(path, device, `vfio ${path}: no such host device: No such file or directory`);
    };
  }

  /** Finds the matrix that a `vfio-ap` is given by `sysfsdev`. */
  reserveMatrix(args: JsonObject): Hold {
    const path = textOf(args, 'sysfsdev');
    return (device) => {
      const missing = `vfio-ap: no iommu_group found for ${path}: No such file or directory`;
      if (path === '') throw new Refusal(missing);
      this.#open(path, device, missing);
    };
  }

  leave(device: string): void {
    for (const [address, user] of this.#users) if (user === device) this.#users.delete(address);
  }

  #open(path: string, device: string, missing: string): void {
    const address = path.slice(path.lastIndexOf('/') + 1);
    const other = this.#hasAll ? { address, group: 1 } : undefined;
    const state: HostFunctionState | undefined = this.#states.get(address) ?? other;
    if (state === undefined) throw new Refusal(missing);
    if (state.fails !== undefined) throw new Refusal(`vfio ${address}: ${failure(state)}`);
    if (this.#users.has(address)) throw new Refusal(`vfio ${address}: device is already attached`);
    this.#users.set(address, device);
  }
}

function failure({ group, fails }: HostFunctionState): string {
  return fails === 'not viable'
    ? `group ${group} is not viable`
    : `failed to open /dev/vfio/${group}: ${fails}`;
}
