import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { VmplugError } from '../../src/api/errors.ts';
import { ReplyReader, type Reply } from './protocol.ts';
import { systemCode } from './system-code.ts';

/** How one wait on the guest's port is bounded. */
export interface GuestWait {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** What an exchange does on the port; it is over when one of its two last functions is called. */
export interface Port {
  send(text: string): void;
  /** Calls `run` after `ms`, unless the exchange is over by then. */
  after(ms: number, run: () => void): void;
}

export interface Exchange<T> {
  action: string;
  /** What a deadline that passes means, asked at that moment. */
  overdue: () => { reason: string; hint?: string };
  isOurs: (tag: string) => boolean;
  start: (port: Port) => void;
  /** The result, once a reply brings it. It may throw. */
  reply: (reply: Reply, port: Port) => { value: T } | undefined;
  /** How long a socket that is not there yet is waited for, in milliseconds. */
  graceMs?: number;
  /** Sent before the port is given up early, so that nothing of ours stays in the guest. */
  farewell?: () => string | undefined;
}

/** How long the guest has to take the farewell, in milliseconds. */
const farewellMs = 300;

/**
 * Connects to the guest's port, holds one exchange on it and lets go of it.
 *
 * @throws VmplugError `deadline-passed`, `aborted`, `vm-gone` if nobody listens or the port closes,
 * and what `reply` throws.
 */
export async function exchange<T>(path: string, wait: GuestWait, what: Exchange<T>): Promise<T> {
  const { signal } = wait;
  const aborted = (): boolean => signal?.aborted === true;
  const deadline = performance.now() + wait.timeoutMs;
  const fail = (
    code: 'aborted' | 'deadline-passed' | 'vm-gone',
    reason: string,
    hint?: string,
    cause?: unknown,
  ) =>
    new VmplugError(code, {
      action: what.action,
      subject: path,
      reason,
      cause,
      ...(hint === undefined ? {} : { hint }),
    });
  const gone = (cause?: unknown): VmplugError =>
    fail(
      'vm-gone',
      cause instanceof Error ? cause.message : 'the VM closed the port',
      'See whether the VM still runs.',
      cause,
    );

  if (aborted()) throw fail('aborted', 'the caller gave up', undefined, signal?.reason);
  const socket = await open(path, deadline, what.graceMs ?? 0, signal).catch((cause: unknown) => {
    if (aborted()) throw fail('aborted', 'the caller gave up', undefined, cause);
    // A full queue of waiting clients is not a VM that has gone.
    if (systemCode(cause) === 'EAGAIN')
      throw fail('deadline-passed', 'other clients hold the port', undefined, cause);
    throw gone(cause);
  });

  const timers = new Set<NodeJS.Timeout>();
  const port: Port = {
    send: (text) => void socket.write(text),
    after: (ms, run) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        run();
      }, ms);
      timers.add(timer);
    },
  };
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let abandoned = false;
  const abandon = (error: VmplugError): void => {
    abandoned = true;
    reject(error);
  };
  const onAbort = (): void => abandon(fail('aborted', 'the caller gave up', undefined, signal?.reason));
  const reader = new ReplyReader(what.isOurs);
  try {
    signal?.addEventListener('abort', onAbort);
    if (aborted()) onAbort();
    port.after(Math.max(0, deadline - performance.now()), () => {
      const { reason, hint } = what.overdue();
      abandon(fail('deadline-passed', reason, hint));
    });
    socket.on('data', (bytes: Buffer) => {
      try {
        for (const reply of reader.push(bytes)) {
          const done = what.reply(reply, port);
          if (done !== undefined) resolve(done.value);
        }
      } catch (error) {
        reject(error);
      }
    });
    socket.on('error', (error) => reject(gone(error)));
    socket.on('close', () => reject(gone()));
    what.start(port);
    return await promise;
  } catch (error) {
    const farewell = abandoned ? what.farewell?.() : undefined;
    if (farewell !== undefined) {
      socket.write(farewell);
      await Promise.race([stopped(socket), sleep(farewellMs)]);
    }
    throw error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function stopped(socket: Socket): Promise<void> {
  const reader = new ReplyReader(() => true);
  return new Promise((resolve) => {
    socket.on('data', (bytes: Buffer) => {
      if (reader.push(bytes).some((reply) => reply.kind === 'stopped')) resolve();
    });
    socket.on('close', () => resolve());
  });
}

async function open(
  path: string,
  deadline: number,
  graceMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  const graceEnd = performance.now() + graceMs;
  for (;;) {
    try {
      return await openOnce(path);
    } catch (error) {
      const code = systemCode(error) ?? '';
      const until =
        code === 'EAGAIN'
          ? deadline
          : ['ENOENT', 'ECONNREFUSED'].includes(code)
            ? Math.min(graceEnd, deadline)
            : 0;
      if (performance.now() >= until) throw error;
      await sleep(20, undefined, signal === undefined ? {} : { signal });
    }
  }
}

function openOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
