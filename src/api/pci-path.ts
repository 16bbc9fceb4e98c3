import { VmplugError } from './errors.ts';

/** A PCI slot (device number), 0 to 31. Prints as two lower-case hex digits. */
export class PciSlot {
  readonly value: number;

  /** @throws VmplugError `invalid-argument` when `value` is not a whole number from 0 to 31. */
  constructor(value: number) {
    if (!Number.isInteger(value) || value < 0 || value > 31) {
      throw new VmplugError('invalid-argument', {
        action: 'read a PCI slot',
        subject: String(value),
        reason: 'a slot is a whole number from 0 to 31',
      });
    }
    this.value = value;
  }

  /**
   * Parses hexadecimal text such as `1f`.
   * @throws VmplugError `invalid-argument`
   */
  static parse(text: string): PciSlot {
    if (!/^[0-9a-f]+$/i.test(text)) {
      throw new VmplugError('invalid-argument', {
        action: 'read a PCI slot',
        subject: text,
        reason: 'a slot is written in hexadecimal digits',
      });
    }
    return new PciSlot(Number.parseInt(text, 16));
  }

  toString(): string {
    return this.value.toString(16).padStart(2, '0');
  }
}

/**
 * The way to a PCI device through its bridges, root-most slot first, written `02/01`.
 * The path with no slots is v1's nil path and prints as the empty string.
 */
export class PciPath {
  readonly slots: readonly PciSlot[];

  private constructor(slots: readonly PciSlot[]) {
    this.slots = Object.freeze([...slots]);
  }

  static readonly nil: PciPath = new PciPath([]);

  /** @throws VmplugError `invalid-argument` when no slot is given. */
  static of(...slots: PciSlot[]): PciPath {
    if (slots.length === 0) {
      throw new VmplugError('invalid-argument', {
        action: 'make a PCI path',
        subject: '',
        reason: 'a path has at least one slot',
      });
    }
    return new PciPath(slots);
  }

  /**
   * Parses `02/01`; the empty string is the nil path.
   * @throws VmplugError `invalid-argument` when a component is not a slot.
   */
  static parse(text: string): PciPath {
    return text === '' ? PciPath.nil : new PciPath(text.split('/').map((part) => PciSlot.parse(part)));
  }

  isNil(): boolean {
    return this.slots.length === 0;
  }

  toString(): string {
    return this.slots.join('/');
  }

  /** Unlike v1, whose paths are lost as `{}`, the text form is what is stored (W94). */
  toJSON(): string {
    return this.toString();
  }
}
