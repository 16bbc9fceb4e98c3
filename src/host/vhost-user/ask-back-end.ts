import { VmplugError } from '../../api/errors.ts';
import { errnoOf } from '../source-errors.ts';
import { BackEndConnection } from './back-end-connection.ts';
import {
  getFeatures,
  getProtocolFeatures,
  protocolFeaturesBit,
  readReplyTo,
  requestMessage,
} from './expected-reply.ts';

export interface AskOptions {
  /** Milliseconds for connecting and all answers together. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Connects to a vhost-user back end and asks what it is as QEMU does first: its features, then those of the
 * protocol. Both may be asked again by whom the connection is handed to; nothing more is read from it.
 * @returns the connection, open: many a back end ends when its first client goes
 * @throws VmplugError `not-vhost-user`, `backend-silent`, `socket-not-served`, `aborted`
 */
export async function askBackEnd(path: string, options: AskOptions): Promise<BackEndConnection> {
  const timeout = AbortSignal.timeout(Math.max(1, Math.round(options.timeoutMs)));
  const limits = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  using undo = new DisposableStack();
  const connection = undo.use(new BackEndConnection(path));
  limits.addEventListener('abort', () => connection.wake(), { once: true });
  while (!connection.isConnected) {
    if (connection.end !== 'open') throw notConnected(path, connection.end);
    await waitFor(connection, path, options, limits);
  }
  const features = await reply(connection, getFeatures, path, options, limits);
  if ((features & protocolFeaturesBit) !== 0n)
    await reply(connection, getProtocolFeatures, path, options, limits);
  connection.keepUnread();
  undo.move();
  return connection;
}

async function reply(
  connection: BackEndConnection,
  request: number,
  path: string,
  options: AskOptions,
  limits: AbortSignal,
): Promise<bigint> {
  connection.socket.write(requestMessage(request));
  for (;;) {
    const said = readReplyTo(request, connection.received);
    if (typeof said === 'bigint') {
      connection.forget();
      return said;
    }
    if (said === 'wrong') throw notVhostUser(path, 'it answered with something else');
    if (connection.end !== 'open') throw notVhostUser(path, 'it hung up', connection.end);
    await waitFor(connection, path, options, limits);
  }
}

async function waitFor(
  connection: BackEndConnection,
  path: string,
  { timeoutMs, signal }: AskOptions,
  limits: AbortSignal,
): Promise<void> {
  if (!limits.aborted) return connection.changed();
  const isAborted = signal?.aborted === true;
  throw new VmplugError(isAborted ? 'aborted' : 'backend-silent', {
    action: 'ask the program behind',
    subject: path,
    reason: isAborted ? 'given up by the caller' : `it did not answer within ${Math.round(timeoutMs)} ms`,
    cause: limits.reason,
    facts: { sent: false },
  });
}

function notConnected(path: string, end: Error | 'hung-up'): VmplugError {
  const errno = errnoOf(end);
  const reason =
    errno === 'EAGAIN'
      ? 'the program that has it takes no connections'
      : `it cannot be connected to (${errno ?? end})`;
  return new VmplugError('socket-not-served', {
    action: 'connect to',
    subject: path,
    reason,
    hint: 'start the back end that serves it',
    cause: end,
  });
}

function notVhostUser(path: string, reason: string, end?: Error | 'hung-up'): VmplugError {
  return new VmplugError('not-vhost-user', {
    action: 'ask the program behind',
    subject: path,
    reason,
    ...(end instanceof Error ? { cause: end } : {}),
  });
}
