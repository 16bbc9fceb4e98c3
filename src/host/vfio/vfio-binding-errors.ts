import { hasCode, VmplugError } from '../../api/errors.ts';
import { bindingText, type BindingState } from './pci-driver.ts';
import { errnoOf } from '../source-errors.ts';

const action = 'change the driver of';

/** A function that could not be brought to where it belongs. */
export interface Misplaced {
  readonly address: string;
  readonly former: BindingState;
  /** How it is; `undefined` when nobody can tell. */
  readonly now: BindingState | undefined;
  readonly error: unknown;
}

/** A driver is needed that the kernel doesn't have. */
export function driverNotLoaded(subject: string, driver: string): VmplugError {
  return new VmplugError('unsupported', {
    action,
    subject,
    reason: `the driver ${driver} is not loaded`,
    hint: `modprobe ${driver}`,
  });
}

/** A change that failed and left nothing behind. */
export function bindingFailed(subject: string, cause: unknown): VmplugError {
  if (hasCode(cause, 'aborted', 'missing-package')) return cause;
  const refused = ['EACCES', 'EPERM', 'EROFS'].includes(errnoOf(cause) ?? '');
  return new VmplugError('source-unsuitable', {
    action,
    subject,
    reason: `${wordsOf(cause)}; every function is as it was before`,
    hint: refused ? 'run as root, with a sysfs that can be written' : 'see what the kernel says: dmesg',
    cause,
  });
}

/** A change that failed, and left behind what it says: one fact for each function. */
export function bindingUnknown(
  subject: string,
  cause: unknown,
  misplaced: readonly Misplaced[],
): VmplugError {
  const lines = misplaced.map(
    ({ address, former, now, error }) =>
      `${address} has ${stateText(now)}, and before ${bindingText(former)} (${wordsOf(error)})`,
  );
  return new VmplugError('outcome-unknown', {
    action,
    subject,
    reason: `${wordsOf(cause)}; not put back: ${lines.join('; ')}`,
    hint: 'see what the kernel says (dmesg), and write driver_override, driver/unbind and drivers_probe by hand',
    cause,
    facts: Object.fromEntries(misplaced.map(({ address, now }) => [address, stateText(now)])),
  });
}

function stateText(state: BindingState | undefined): string {
  return state === undefined ? 'a driver that cannot be told now' : bindingText(state);
}

function wordsOf(error: unknown): string {
  if (error instanceof VmplugError) return error.reason;
  return error instanceof Error ? error.message : String(error);
}
