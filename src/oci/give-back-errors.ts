import { VmplugError } from '../api/errors.ts';

/** Some devices of a container could not be given back; the others were. */
export function notAllGivenBack(
  container: string,
  failures: readonly { readonly id: string; readonly error: unknown }[],
): VmplugError {
  const [first] = failures;
  return new VmplugError(first?.error instanceof VmplugError ? first.error.code : 'internal-error', {
    action: 'give back the devices of the container',
    subject: container,
    reason: failures.map(({ id, error }) => `${id}: ${messageOf(error)}`).join('; '),
    hint: 'the container still has these devices: mend what is said, then stop it again',
    cause: new AggregateError(
      failures.map(({ error }) => error),
      'devices could not be given back',
    ),
    facts: { failed: failures.length },
  });
}

/** A step of a container's making failed, and then the giving back of what it had. */
export function alsoFailed(container: string, error: unknown, leftover: unknown): VmplugError {
  return new VmplugError(error instanceof VmplugError ? error.code : 'internal-error', {
    action: 'give the container its devices',
    subject: container,
    reason: `${messageOf(error)}; and then: ${messageOf(leftover)}`,
    hint: 'the container still has devices: mend what is said, then stop it',
    cause: new AggregateError([error, leftover], 'a step failed, and then its undoing'),
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
