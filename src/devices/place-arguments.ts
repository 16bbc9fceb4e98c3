import { VmplugError } from '../api/errors.ts';
import type { JsonObject } from '../api/json.ts';
import { placeKey, slotText, type Place } from '../api/place.ts';

/**
 * The arguments of `device_add` that put a device of a model at a place, each of the JSON type
 * that the property has. The address is always given: QEMU 7.2 puts a second device on an
 * occupied root port otherwise.
 * @throws VmplugError `internal-error` for a place that QEMU doesn't have
 */
export function placeArguments(model: string, place: Place): JsonObject {
  switch (place.transport) {
    case 'pci':
      return { driver: model, bus: place.bus, addr: slotText(place.slot) };
    case 'scsi':
      return {
        driver: model,
        bus: place.bus,
        channel: place.channel,
        'scsi-id': place.scsiId,
        lun: place.lun,
      };
    case 'ccw':
      return { driver: model, devno: place.devno };
    case 'memory':
      return { driver: model, slot: place.slot };
    case 'ap':
      return { driver: model };
    case 'slot':
      throw new VmplugError('internal-error', {
        action: 'plug at',
        subject: placeKey(place),
        reason: 'QEMU has no drive slots',
      });
  }
}
