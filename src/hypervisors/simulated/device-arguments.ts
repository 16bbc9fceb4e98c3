import type { JsonObject } from '../../api/json.ts';
import { slotText, type Place } from '../../api/place.ts';
import { Refusal } from './simulated-errors.ts';

/** An argument that is a text; empty when it is none. */
export function textOf(args: JsonObject, key: string): string {
  const value = args[key];
  return typeof value === 'string' ? value : '';
}

/** Whether the arguments of `device_add` name that place. */
export function isAt(place: Place, args: JsonObject): boolean {
  switch (place.transport) {
    case 'pci':
      return args['addr'] === slotText(place.slot);
    case 'scsi':
      return (
        args['channel'] === place.channel && args['scsi-id'] === place.scsiId && args['lun'] === place.lun
      );
  }
}

/** QEMU's words for a place that something sits at. */
export function taken(place: Place, by: string): Refusal {
  const text =
    place.transport === 'pci'
      ? `PCI: slot ${place.slot} function 0 not available for virtio-blk-pci, in use by ${by}`
      : `lun already used by '${by}'`;
  return new Refusal(text, 'place-taken');
}
