import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError, type ErrorDetails } from '../../api/errors.ts';

/** An error about a VFIO source, in one form. */
export function vfioError(
  code: ErrorCode,
  subject: string,
  reason: string,
  more: Pick<ErrorDetails, 'hint' | 'cause' | 'facts'> = {},
): VmplugError {
  return new VmplugError(code, { action: 'use as a VFIO device', subject, reason, ...more });
}
