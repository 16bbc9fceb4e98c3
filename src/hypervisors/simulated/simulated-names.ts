import type { GuestNames } from '../../api/hypervisor.ts';
import type { JsonObject } from '../../api/json.ts';
import { textOf } from './device-arguments.ts';
import type { SimulatedDevice } from './machine-options.ts';

/** The names that a device is given with `device_add`. */
export function namesIn(args: JsonObject): Pick<SimulatedDevice, 'tag' | 'mac'> {
  const [tag, mac] = [textOf(args, 'tag'), textOf(args, 'mac')];
  return { ...(tag === '' ? {} : { tag }), ...(mac === '' ? {} : { mac }) };
}

/** The names of every device. */
export function guestNames(devices: readonly SimulatedDevice[]): GuestNames {
  return {
    tags: new Map(devices.flatMap(({ id, tag }) => (tag === undefined ? [] : [[tag, id]]))),
    macs: new Map(devices.flatMap(({ id, mac }) => (mac === undefined ? [] : [[mac.toLowerCase(), id]]))),
  };
}
