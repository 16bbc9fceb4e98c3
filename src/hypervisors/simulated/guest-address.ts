import type { GuestAddress } from '../../api/guest-address.ts';
import type { SimulatedDevice } from './machine-options.ts';

/**
 * Where the guest has a device: a PCI function once the guest has numbered its buses; a channel
 * device under its number, with the guest's own name for the default channel subsystem image.
 */
export function guestAddress({ place, evidence }: SimulatedDevice): GuestAddress {
  if (place.transport === 'ccw') return { ccw: place.devno.replace(/^fe\./, '0.') };
  const isNumbered = place.transport === 'pci' && evidence !== 'acknowledged';
  return isNumbered ? { pci: `0000:${place.path.join(':')}.0` } : {};
}
