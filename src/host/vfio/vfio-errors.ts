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

/**
 * How a mediated device gets a driver: its parent's takes it when it is made, unless it was unbound since. Kernels that
 * have `vfio_mdev` leave that to it.
 */
export function mediatedDriverHint(uuid: string): string {
  return `bind it to the driver of its parent: echo ${uuid} > /sys/bus/mdev/drivers/DRIVER/bind; an older kernel needs modprobe vfio_mdev`;
}
