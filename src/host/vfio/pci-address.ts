import { VmplugError } from '../../api/errors.ts';

/** Where a PCI function is: domain (segment), bus, slot (device number), function. */
export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
}

const form = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/i;

/**
 * Reads `02:10.0` (of domain 0), `0000:02:10.0`, and the longer domains that Linux gives to buses
 * behind a VMD controller: `10000:01:00.0`.
 * @throws VmplugError `invalid-argument`
 */
export function parsePciAddress(text: string): PciAddress {
  const [, domain = '0', bus, slot, fn] = form.exec(text) ?? [];
  if (bus === undefined || slot === undefined || fn === undefined) {
    throw invalid(text, 'an address is written domain:bus:slot.function in hexadecimal digits');
  }
  const address = {
    domain: Number.parseInt(domain, 16),
    bus: Number.parseInt(bus, 16),
    slot: Number.parseInt(slot, 16),
    function: Number.parseInt(fn, 16),
  };
  if (address.slot > 0x1f) throw invalid(text, 'a bus has the slots 00 to 1f');
  if (address.function > 7) throw invalid(text, 'a slot has the functions 0 to 7');
  return address;
}

/** `0000:02:10.0`, as the kernel names it: always with its domain, of at least four digits. */
export function formatPciAddress({ domain, bus, slot, function: fn }: PciAddress): string {
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(slot, 2)}.${fn}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function invalid(text: string, reason: string): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'read a PCI address',
    subject: text,
    reason,
    hint: 'write it as lspci -D shows it, such as 0000:3b:00.0',
  });
}
