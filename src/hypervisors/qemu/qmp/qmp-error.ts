import { hasCode, VmplugError } from '../../../api/errors.ts';

/** The VMM's own words for a command that failed. Only the class `DeviceNotFound` is worth a branch. */
export interface QmpError {
  readonly class: string;
  readonly desc: string;
}

const deepestCause = 8;

/**
 * What the VMM said, when `error` is a refusal (`vmm-refused`) or has one among its causes.
 * An error whose outcome is unknown never yields one.
 */
export function qmpErrorOf(error: unknown): QmpError | undefined {
  let current = error;
  for (let depth = 0; depth < deepestCause && current instanceof Error; depth++) {
    if (hasCode(current, 'vmm-refused') && isQmpError(current.cause)) {
      return current.cause;
    }
    current = current.cause;
  }
  return undefined;
}

/** The error for a command that the VMM answered with `error`. */
export function refused(command: string, path: string, error: QmpError): VmplugError {
  return new VmplugError('vmm-refused', {
    action: `run ${command} over`,
    subject: path,
    reason: error.desc,
    cause: error,
    facts: { command, class: error.class },
  });
}

function isQmpError(value: unknown): value is QmpError {
  return (
    typeof value === 'object' &&
    value !== null &&
    'class' in value &&
    typeof value.class === 'string' &&
    'desc' in value &&
    typeof value.desc === 'string'
  );
}
