import type { PluggedDevice } from '../../api/hypervisor.ts';
import { textOf } from './device-arguments.ts';
import type { SimulatedDevice } from './machine-options.ts';

/** A device as QEMU's driver tells of one. */
export function pluggedDevice({ id, model, place, arguments: args }: SimulatedDevice): PluggedDevice {
  const host = textOf(args, 'host');
  return {
    id,
    model,
    bus: place.bus,
    ...('slot' in place ? { slot: place.slot } : {}),
    isOnPort: place.transport === 'pci' && place.path.length > 1,
    uses: host === undefined || host === '' ? [] : [host],
  };
}
