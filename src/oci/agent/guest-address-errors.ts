import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError } from '../../api/errors.ts';

/** A device as the container sees it, and by the name that the VMM has for it. */
export interface Named {
  readonly containerPath: string;
  readonly device: string;
}

/** Nobody has said where the guest finds the device (W30, W94). */
export function addressUnknown(named: Named, missing: string, predicted = ''): VmplugError {
  return messageError('guest-address-unknown', named, {
    reason: `${named.device} has no ${missing}, by which the agent would find it`,
    hint:
      predicted === ''
        ? 'detach the device and attach it again: its address comes from the VMM'
        : `with \`addresses: 'predicted'\` the agent is told ${predicted}, which is only a guess`,
    facts: { device: named.device, missing },
  });
}

/** The device has no payload: it was not attached, or it was given up since. */
export function notAttached(containerPath: string): VmplugError {
  return messageError(
    'device-not-attached',
    { containerPath, device: '' },
    {
      reason: 'it is not attached, so the guest does not have it',
      hint: 'attach it before the agent is told of it',
    },
  );
}

export function unsupportedMessage(named: Named, reason: string, hint: string): VmplugError {
  return messageError('unsupported', named, { reason, hint, facts: { device: named.device } });
}

function messageError(
  code: ErrorCode,
  named: Named,
  details: Pick<ConstructorParameters<typeof VmplugError>[1], 'reason' | 'hint' | 'facts'>,
): VmplugError {
  return new VmplugError(code, {
    action: 'tell the guest agent of',
    subject: named.containerPath,
    ...details,
  });
}
