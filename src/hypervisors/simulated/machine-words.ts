import { Refusal } from './simulated-errors.ts';

/** What differs from version to version of QEMU in how `device_add` is taken. */
export interface MachineWords {
  /**
   * A second device on a port that has one is let in where no `addr` is given: it lands in slot 1,
   * where no guest sees it.
   */
  readonly letsInSecond: boolean;
  /**
   * Looks at the JSON type of one property.
   * @throws Refusal
   */
  readonly checkType: (name: string, type: string, value: unknown) => void;
  readonly notVirtio: (path: string) => string;
  /** Whether the id of a device must be an identifier. */
  readonly checksId: boolean;
  /** Names and types of the properties of a model, where they are known. */
  readonly properties?: (model: string) => ReadonlyMap<string, string> | undefined;
}

export const wordsOf72: MachineWords = {
  letsInSecond: true,
  checkType: () => undefined,
  checksId: true,
  notVirtio: (path) => `Path ${path} is not a VirtIODevice`,
};

/** Types are enforced since 9.2. */
export const wordsOf100: MachineWords = {
  letsInSecond: false,
  checkType: checkType100,
  checksId: false,
  notVirtio: (path) => `Path ${path} is not a realized VirtIODevice`,
};

function checkType100(name: string, type: string, value: unknown): void {
  // It takes `01.0` and devfn alike.
  if (name === 'addr') return;
  const isNumber = typeof value === 'number' || typeof value === 'bigint';
  const invalid = (expected: string): Refusal =>
    new Refusal(`Invalid parameter type for '${name}', expected: ${expected}`);
  if (/^(uint\d+|size)$/.test(type) && !isNumber) throw new Refusal(`Parameter '${name}' expects uint64`);
  if (/^int\d*$/.test(type) && !isNumber) throw invalid('integer');
  if (type === 'bool' && typeof value !== 'boolean') throw invalid('boolean');
  if (/^(str|string|OnOffAuto|link<.*>)$/.test(type) && typeof value !== 'string') throw invalid('string');
}
