import { placeKey, type Bus, type ScsiPlace } from '../../api/place.ts';
import type { QomBus, QomDevice } from './qom-bus.ts';

const unitsPerTarget = 256;
const scsiTargets = 256;

/** The units of a SCSI controller as places. Pure. */
export function scsiBus(bus: QomBus): Bus {
  return {
    ...scsiUnits(bus.name, bus.parent?.id ?? '', bus.parent?.type ?? 'scsi'),
    taken: new Map(bus.devices.map((device) => [placeKey(scsiPlaceOf(bus, device)), device.id])),
  };
}

/** Every unit that a controller can have, none of them taken. */
export function scsiUnits(name: string, controller: string, kind: string): Bus {
  return {
    name,
    transport: 'scsi',
    kind,
    capacity: scsiTargets * unitsPerTarget,
    places: { [Symbol.iterator]: () => scsiPlaces(name, controller) },
    taken: new Map(),
  };
}

/** Why a SCSI bus takes no hot-plug. */
export function scsiRefusal(bus: QomBus): string | undefined {
  if (bus.parent?.properties['hotplug'] === false) return 'the controller has hotplug=off';
  return bus.handler === '' ? 'no hot-plug handler' : undefined;
}

function* scsiPlaces(bus: string, controller: string): Generator<ScsiPlace, void> {
  for (let scsiId = 0; scsiId < scsiTargets; scsiId += 1) {
    for (let lun = 0; lun < unitsPerTarget; lun += 1) {
      yield scsiPlace(bus, controller, { channel: 0, scsiId, lun });
    }
  }
}

function scsiPlaceOf(bus: QomBus, device: QomDevice): ScsiPlace {
  const number = (name: string): number => Number(device.properties[name] ?? 0);
  const unit = { channel: number('channel'), scsiId: number('scsi-id'), lun: number('lun') };
  return scsiPlace(bus.name, bus.parent?.id ?? '', unit);
}

function scsiPlace(
  bus: string,
  controller: string,
  unit: Pick<ScsiPlace, 'channel' | 'scsiId' | 'lun'>,
): ScsiPlace {
  return { transport: 'scsi', bus, ...unit, controller, unplug: 'immediate' };
}
