import { placeKey, type ApPlace, type Bus, type CcwPlace } from '../../api/place.ts';
import type { QomBus } from './qom-bus.ts';

/** Device numbers of the one channel subsystem of virtio; 0000 is left to the machine's own. */
const lastDeviceNumber = 0xffff;

/** The device numbers of the channel subsystem as places. Pure. */
export function ccwBus(bus: QomBus): Bus {
  return {
    ...deviceNumbers(bus.name),
    taken: new Map(
      bus.devices.flatMap(({ properties: { dev_id: number }, id }) =>
        typeof number === 'string' && isOffered(number) ? [[placeKey(ccwPlace(bus.name, number)), id]] : [],
      ),
    ),
  };
}

/** Every device number that is offered, none of them taken. */
export function deviceNumbers(name: string): Bus {
  return {
    name,
    transport: 'ccw',
    kind: 'channel subsystem',
    capacity: lastDeviceNumber,
    places: { [Symbol.iterator]: () => ccwPlaces(name) },
    taken: new Map(),
  };
}

function* ccwPlaces(bus: string): Generator<CcwPlace, void> {
  for (let number = 1; number <= lastDeviceNumber; number += 1) {
    yield ccwPlace(bus, `fe.0.${number.toString(16).padStart(4, '0')}`);
  }
}

/** Other subchannel sets, and subsystems of passed-through devices, have numbers of their own. */
function isOffered(devno: string): boolean {
  return /^fe\.0\.[0-9a-f]{4}$/.test(devno) && devno !== 'fe.0.0000';
}

function ccwPlace(bus: string, devno: string): CcwPlace {
  return { transport: 'ccw', bus, devno, unplug: 'immediate' };
}

/** The one place for crypto adapters: QEMU takes a single vfio-ap device. Pure. */
export function apBus(bus: QomBus): Bus {
  const place: ApPlace = { transport: 'ap', bus: bus.name, unplug: 'immediate' };
  const [device] = bus.devices;
  return {
    name: bus.name,
    transport: 'ap',
    kind: 'ap',
    capacity: 1,
    places: [place],
    taken: new Map(device === undefined ? [] : [[placeKey(place), device.id]]),
  };
}

/** What an s390x machine has for crypto adapters when its CPU model has none. */
export function missingApBus(): Bus {
  return {
    name: 'ap-bus',
    transport: 'ap',
    kind: 'ap',
    capacity: 0,
    places: [],
    taken: new Map(),
    refuses: 'the CPU of the VM has no crypto adapters (-cpu …,ap=on, with KVM)',
  };
}
