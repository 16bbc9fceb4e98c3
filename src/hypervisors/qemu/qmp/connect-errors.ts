import { stat } from 'node:fs/promises';
import { quoted, VmplugError, type ErrorDetails } from '../../../api/errors.ts';
import type { ErrorCode } from '../../../api/error-codes.ts';
import type { GaveUp } from './limits.ts';

/** How far a connection was when its maker stopped waiting. */
export type ConnectState = 'unconnected' | 'backlog' | 'silent' | 'unfinished' | 'greeted';

type Details = Omit<ErrorDetails, 'action' | 'subject'>;

function failure(code: ErrorCode, path: string, details: Details): VmplugError {
  return new VmplugError(code, { action: 'connect to the QMP socket', subject: path, ...details });
}

const giveQmp = 'give the socket of -qmp, or of -mon with mode=control';
const notThere = `is the VM running, and is the path right? Otherwise ${giveQmp}`;

/** The error for a path that cannot be that of a socket. */
export function badPath(path: string, reason: string): VmplugError {
  const hint = 'use a shorter or a relative path, or a symbolic link';
  return failure('invalid-argument', path, { reason, hint, facts: { reason: 'path' } });
}

const oneClient =
  'QEMU serves one client at a time and the next ones wait silently: `ss -xp` shows the connections to this path ' +
  'and the processes that hold them. A guest agent never greets: give the socket of QMP';

/** The error for a connection that was not ready when its maker stopped waiting. */
export function notReady(path: string, why: GaveUp, state: ConnectState): VmplugError {
  const { cause } = why;
  const facts = { reason: state };
  if (why.code === 'aborted' || state === 'unconnected') {
    return failure(why.code, path, { reason: why.reason, cause, facts });
  }
  if (state === 'greeted') {
    return failure(why.code, path, { reason: `it greeted, but then ${why.reason}`, cause, facts });
  }
  if (state === 'unfinished') {
    return failure('not-qmp', path, { reason: `it sent bytes but no line (${why.reason})`, cause, facts });
  }
  const reason =
    state === 'silent'
      ? `connected, but no greeting (${why.reason}): another client may hold it`
      : `too many clients wait for it already (${why.reason})`;
  return failure('monitor-busy', path, { reason, hint: oneClient, cause, facts });
}

/** The error for a server that speaks something else. `line` is what it said first. */
export function notQmp(path: string, line: string): VmplugError {
  const hint =
    line.trim() === '{'
      ? 'the monitor seems to have been made with pretty=on: turn that off'
      : line.startsWith('QEMU ')
        ? 'this is the monitor for humans: give the socket of -qmp, or of -mon with mode=control'
        : giveQmp;
  return failure('not-qmp', path, { reason: `it does not greet as QMP does, it says ${quoted(line)}`, hint });
}

/** The error for a socket that could not be connected to. */
export async function dialFailure(path: string, cause: NodeJS.ErrnoException): Promise<VmplugError> {
  const error = (code: ErrorCode, reason: string, fact: string, hint?: string): VmplugError =>
    failure(code, path, { reason, cause, facts: { reason: fact }, ...(hint === undefined ? {} : { hint }) });
  switch (cause.code ?? '') {
    case 'ENOENT':
    case 'ENOTDIR':
      return error('vm-gone', 'there is no such socket', 'no-socket', notThere);
    case 'ECONNREFUSED':
      // The kernel says the same of a file that is no socket.
      return (await isOtherFile(path))
        ? error('not-qmp', 'it is not a socket', 'not-a-socket', giveQmp)
        : error('vm-gone', 'nobody listens on it any more', 'refused', notThere);
    case 'ECONNRESET':
      return error('vm-gone', 'it was closed before the connection was taken', 'reset', notThere);
    case 'EPROTOTYPE':
      return error('not-qmp', 'it is not a stream socket', 'not-a-socket', giveQmp);
    case 'EACCES':
    case 'EPERM':
      return error(
        'invalid-argument',
        'permission denied',
        'denied',
        'run as the user of the VM, or as root',
      );
    case 'ELOOP':
    case 'ENAMETOOLONG':
      return error('invalid-argument', 'it is not a path to a socket', 'path');
    default:
      return error('internal-error', cause.message, cause.code ?? 'unknown');
  }
}

async function isOtherFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && !found.isSocket();
}
