import { errorCodes, type ErrorCode } from './error-codes.ts';
import { visible } from './visible.ts';

const brand = Symbol.for('vmplug.error');

export interface ErrorDetails {
  /** What was being done: `attach`, `read the saved state`. */
  action: string;
  /** To what: a path, an id, a sandbox. Shown quoted, cut to a readable length. */
  subject: string;
  /** Why it did not work. */
  reason: string;
  /** What the user can do about it. */
  hint?: string;
  /** The VMM's own words, or the error below. */
  cause?: unknown;
  /** Facts for programs, such as `{ holder: 'vm2' }`. */
  facts?: Readonly<Record<string, string | number | boolean | null>>;
}

const longestShown = 200;

/** Quotes text for a message: control characters escaped, long text cut off with its length said. */
export function quoted(text: string): string {
  if (text.length <= longestShown) return visible(JSON.stringify(text));
  // Not between the two halves of a character.
  const beginning = text.slice(0, longestShown - 40).replace(/[\uD800-\uDBFF]$/, '');
  return visible(JSON.stringify(`${beginning}… (${text.length} characters)`));
}

/**
 * The one error class of vmplug. `code` is stable and listed in {@link errorCodes}; the
 * message says what was being done to what and why it failed, `hint` what to do about it.
 */
export class VmplugError extends Error {
  override readonly name = 'VmplugError';
  readonly code: ErrorCode;
  readonly action: string;
  readonly subject: string;
  readonly reason: string;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
  readonly [brand] = true;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(
      `${details.action} ${quoted(details.subject)}: ${details.reason}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.action = details.action;
    this.subject = details.subject;
    this.reason = details.reason;
    this.hint = details.hint;
    this.facts = details.facts ?? {};
  }

  /** The exit code of the command line for this error. */
  get exitCode(): number {
    return errorCodes[this.code].exitCode;
  }

  /** Recognises errors of every copy of the package in one process. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** Whether `error` is a vmplug error with one of `codes`. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is VmplugError {
  return error instanceof VmplugError && codes.includes(error.code);
}

/** v1's four errors that callers tell apart (`virtcontainers/device/manager`), by code. */
export const ErrIDExhausted: ErrorCode = 'id-exhausted';
export const ErrDeviceNotExist: ErrorCode = 'device-not-found';
export const ErrDeviceNotAttached: ErrorCode = 'device-not-attached';
export const ErrRemoveAttachedDevice: ErrorCode = 'remove-attached-device';
