import type { JsonObject } from '../../api/json.ts';
import { textOf } from './device-arguments.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import { Refusal } from './simulated-errors.ts';
import type { Occupants } from './find-place.ts';
import type { SimulatedPlace } from './simulated-places.ts';

const busTypes: Readonly<Record<SimulatedPlace['transport'], string>> = {
  pci: 'PCIE',
  scsi: 'SCSI',
  ccw: 'virtual-css-bus',
  memory: 'memory',
  ap: 'ap-bus',
};

/**
 * The bus that a device goes on, with its index: the one that is named, or the one that QEMU takes
 * by itself (`qdev_device_add`).
 * @throws Refusal
 */
export function findBus(
  buses: readonly SimulatedBus[],
  transport: SimulatedPlace['transport'],
  args: JsonObject,
  occupants: Occupants,
): { bus: SimulatedBus; index: number } {
  const [driver, name] = [textOf(args, 'driver'), textOf(args, 'bus')];
  const index =
    name === ''
      ? defaultBus(buses, transport, driver)
      : buses.findIndex((bus) => bus.name === name && bus.transport !== 'memory');
  const bus = buses[index];
  if (bus === undefined) throw new Refusal(`Bus '${name}' not found`);
  if (bus.transport === 'ap' && occupants.some(({ place }) => place.bus === bus.name)) {
    throw new Refusal(
      name === '' ? `No 'ap-bus' bus found for device '${driver}'` : `Bus '${name}' is full`,
      'place-taken',
    );
  }
  if (bus.transport !== transport) {
    throw new Refusal(`Device '${driver}' can't go on ${busTypes[bus.transport]} bus`);
  }
  if (bus.refuses !== undefined) throw new Refusal(`Bus '${bus.name}' does not support hotplugging`);
  return { bus, index };
}

function defaultBus(
  buses: readonly SimulatedBus[],
  transport: SimulatedPlace['transport'],
  driver: string,
): number {
  // QEMU takes the root bus, even with free ports.
  const root = buses.findIndex((bus) => bus.transport === 'pci' && bus.isRoot === true);
  if (transport === 'pci' && root >= 0) return root;
  if (transport === 'pci') throw new Refusal("Bus 'pcie.0' does not support hotplugging");
  const index = buses.findIndex((bus) => bus.transport === transport);
  if (index >= 0) return index;
  throw new Refusal(
    transport === 'memory'
      ? "nvdimm is not enabled: missing 'nvdimm' in '-M'"
      : `No '${busTypes[transport]}' bus found for device '${driver}'`,
  );
}
