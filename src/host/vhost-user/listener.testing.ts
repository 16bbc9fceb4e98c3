import { once } from 'node:events';
import { createConnection, createServer } from 'node:net';

export interface Listener extends AsyncDisposable {
  /** How many have connected up to this call, which connects once itself and does not count. */
  connections(): Promise<number>;
}

/** Listens on the UNIX socket `path` and counts who connects. */
export async function listenOn(path: string): Promise<Listener> {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on('error', () => undefined).end('.');
  }).listen(path);
  await once(server, 'listening');
  return {
    async connections() {
      const probe = createConnection(path);
      // Connections are accepted in their order: those before are counted when ours is answered.
      await once(probe, 'data');
      probe.destroy();
      return accepted - 1;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
