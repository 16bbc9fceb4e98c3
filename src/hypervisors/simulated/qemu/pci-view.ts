import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { SimulatedMachine } from '../simulated-machine.ts';
import type { BootDevice, MachineShape } from './machine-shape.ts';
import { modelOf, onPort } from './models.ts';
import { isObject } from './parse-request.ts';

/** Where the guest's firmware puts BARs, and how far apart; the real one packs them closer. */
const firstAddress = 0xfe00_0000;
const apart = 0x1_0000;

/**
 * What `query-pci` answers. Before a guest has numbered the buses nothing is seen behind a port,
 * and no BAR has an address. Pure.
 */
export function pciTree(shape: MachineShape, machine: SimulatedMachine, isUp: boolean): JsonValue {
  const { recording, bootDevices, rootBus } = shape;
  const recorded = recording.answers['query-pci'];
  const [root] = Array.isArray(recorded) ? recorded : [];
  if (root === undefined) return [];
  const addresses = new Addresses();
  const ports = portsInOrder(bootDevices);
  const onBus = (bus: string, number: number): JsonObject[] =>
    machine.devices.flatMap(({ id, model, place, evidence }) => {
      if (place.transport !== 'pci' || place.bus !== bus) return [];
      const at = { bus: number, slot: place.slot, function: 0, qdev_id: id };
      const pci = modelOf(recording, model).pci ?? {};
      const described = { ...(number === 0 ? pci : onPort(pci)), ...at };
      return [assigned(described, evidence !== 'acknowledged', addresses)];
    });
  const boot = bootDevices.flatMap(({ id, model, where }) => {
    const { pci } = modelOf(recording, model);
    if (pci === undefined) return [];
    const addr = Number(where['addr'] ?? 0);
    const at = { bus: 0, slot: addr >> 3, function: addr & 7, qdev_id: id };
    const bridge = objectAt(pci, 'pci_bridge');
    const number = ports.indexOf(id) + 1;
    const behind = bridge === undefined ? {} : bridgeOf(bridge, isUp ? number : 0, () => onBus(id, number));
    return [assigned({ ...pci, ...at, ...behind }, isUp, addresses)];
  });
  const own = devicesOf(root).map((device) => assigned(device, isUp, addresses));
  return [{ bus: 0, devices: inOrder([...own, ...boot, ...onBus(rootBus, 0)]) }];
}

/** Bridges are numbered in the order of their addresses. */
function portsInOrder(devices: readonly BootDevice[]): string[] {
  return devices
    .filter(({ model }) => model === 'pcie-root-port')
    .toSorted((one, other) => Number(one.where['addr']) - Number(other.where['addr']))
    .map(({ id }) => id);
}

function bridgeOf(bridge: JsonObject, number: number, behind: () => JsonObject[]): JsonObject {
  const bus = { ...objectAt(bridge, 'bus'), secondary: number, subordinate: number };
  return { pci_bridge: { ...bridge, bus, ...(number === 0 ? {} : { devices: behind() }) } };
}

/** Addresses for BARs, as a guest gives them. */
class Addresses {
  #next = firstAddress;

  take(size: number): number {
    const step = Math.max(apart, size);
    this.#next = Math.ceil(this.#next / step) * step + step;
    return this.#next - step;
  }
}

function assigned(device: JsonObject, isSeen: boolean, addresses: Addresses): JsonObject {
  const { regions } = device;
  if (!Array.isArray(regions)) return device;
  return {
    ...device,
    regions: regions.map((region: JsonObject) => {
      const given = addresses.take(Number(region['size'] ?? 0));
      return { ...region, address: isSeen && region['bar'] !== 6 ? given : -1 };
    }),
  };
}

function devicesOf(root: JsonValue): readonly JsonObject[] {
  const devices = isObject(root) ? root['devices'] : undefined;
  return Array.isArray(devices) ? devices : [];
}

function inOrder(devices: readonly JsonObject[]): JsonObject[] {
  const key = ({ slot, function: number }: JsonObject): number => Number(slot) * 8 + Number(number);
  return devices.toSorted((one, other) => key(one) - key(other));
}

function objectAt(value: JsonObject, key: string): JsonObject | undefined {
  const inner = value[key];
  return isObject(inner) ? inner : undefined;
}
