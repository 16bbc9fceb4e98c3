import { once } from 'node:events';
import { createServer } from 'node:net';

/** A server on a socket that says to each message what a test wants. */
export interface Answering extends AsyncDisposable {
  /** How many have connected so far. */
  clients(): number;
  /** When the first client has gone. */
  readonly gone: Promise<void>;
}

/** Serves `path` as a back end without protocol features does, or says `words` to whatever comes; `''` for nothing. */
export async function serveAnswering(path: string, words?: string): Promise<Answering> {
  let clients = 0;
  const gone = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    clients += 1;
    socket.on('error', () => undefined).on('close', () => gone.resolve());
    const reply = Buffer.alloc(20);
    [1, 5, 8].forEach((field, index) => reply.writeUInt32LE(field, index * 4));
    socket.on('data', () => socket.write(words ?? reply));
  }).listen(path);
  await once(server, 'listening');
  return {
    clients: () => clients,
    gone: gone.promise,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
