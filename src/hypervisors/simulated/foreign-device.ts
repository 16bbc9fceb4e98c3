import type { ForeignDevice } from '../../api/hypervisor.ts';
import { textOf } from './device-arguments.ts';
import type { SimulatedDevice } from './machine-options.ts';

/** A device that was plugged under somebody else's name, as QEMU's driver tells of one. */
export function foreignDevice({ id, model, place, arguments: args }: SimulatedDevice): ForeignDevice {
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
