import { once } from 'node:events';
import type { BackEndConnection } from './back-end-connection.ts';

/** Milliseconds for a program to see that its client goes. */
const leaveMs = 1000;

/**
 * Hangs up and waits until the program behind the socket has done so too: one that serves a single client at
 * a time would turn the next one away before.
 */
export async function leaveBackEnd(connection: BackEndConnection): Promise<void> {
  using left = connection;
  const { socket, end } = left;
  if (end !== 'open') return;
  socket.resume();
  socket.end();
  await once(socket, 'end', { signal: AbortSignal.timeout(leaveMs) }).catch(() => undefined);
}
