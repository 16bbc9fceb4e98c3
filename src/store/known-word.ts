import { VmplugError } from '../api/errors.ts';

/**
 * The word of `values` that a column has.
 * @throws VmplugError `invalid-state` for any other
 */
export function knownWord<T extends string>(values: readonly T[], value: unknown): T {
  const found = values.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new VmplugError('invalid-state', {
    action: 'read the state',
    subject: String(value),
    reason: `it is none of ${values.join(', ')}`,
  });
}
