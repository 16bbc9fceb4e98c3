import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { badPath, dialFailure, notReady } from './connect-errors.ts';
import { gaveUpBy } from './limits.ts';

/** What the kernel takes: `sun_path` is 108 bytes with its NUL. */
const longestPath = 107;
/** A full listen backlog tells nobody when it has room again. */
const backlogRetryMs = 10;

/**
 * Connects to a UNIX socket. `stop` ends the attempt; its reason may be a `GaveUp`.
 * @throws VmplugError `invalid-argument` (impossible path; `facts.reason` `denied`: no permission), `vm-gone`
 *   (`facts.reason`: `no-socket`, `refused` or `reset`), `not-qmp` (not such a socket), `monitor-busy`, `aborted`
 */
export async function dial(path: string, stop: AbortSignal): Promise<Socket> {
  checkPath(path);
  for (;;) {
    const socket = connect({ path });
    const failure = await settled(socket, stop);
    if (failure === undefined && !stop.aborted) {
      return socket;
    }
    socket.destroy();
    if (failure !== undefined && failure.code !== 'EAGAIN') {
      throw await dialFailure(path, failure);
    }
    await delay(backlogRetryMs, undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) {
      throw notReady(path, gaveUpBy(stop), 'backlog');
    }
  }
}

function checkPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes > longestPath) {
    throw badPath(path, `it has ${bytes} bytes; the path of a UNIX socket has at most ${longestPath}`);
  }
  if (bytes === 0 || path.includes('\0')) {
    throw badPath(path, 'it is not a path');
  }
}

/** Waits for the connection: undefined when it stands or `stop` came first, else why it failed. */
async function settled(socket: Socket, stop: AbortSignal): Promise<NodeJS.ErrnoException | undefined> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | undefined>();
  const onStop = (): void => resolve(undefined);
  stop.addEventListener('abort', onStop, { once: true });
  // The error listener stays: an error that comes later must never be without one.
  socket.on('error', resolve);
  socket.once('connect', onStop);
  try {
    return await promise;
  } finally {
    stop.removeEventListener('abort', onStop);
    socket.removeListener('connect', onStop);
  }
}
