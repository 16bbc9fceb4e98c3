import { createConnection, createServer, type Socket } from 'node:net';
import { LineSplitter } from '../../src/hypervisors/qemu/qmp/lines.ts';

/** One line that went over a QMP socket, and who said it. */
export interface RecordedLine {
  /** Which client it was for or from, counted from 0. */
  readonly client: number;
  readonly from: 'client' | 'server';
  readonly text: string;
}

/** A QMP socket in front of another, which keeps every line that goes through. */
export interface RecordingProxy extends AsyncDisposable {
  readonly path: string;
  /** In the order in which they came here. */
  readonly lines: readonly RecordedLine[];
}

/** Listens on `path` and hands every client on to the server at `target`, byte by byte. */
export async function startRecordingProxy(path: string, target: string): Promise<RecordingProxy> {
  const lines: RecordedLine[] = [];
  const sockets = new Set<Socket>();
  let clients = 0;
  const server = createServer((socket) => {
    const client = clients;
    clients += 1;
    const upstream = createConnection(target);
    for (const [from, one, other] of [
      ['client', socket, upstream],
      ['server', upstream, socket],
    ] as const) {
      const splitter = new LineSplitter();
      sockets.add(one);
      one.on('data', (chunk: Buffer) => {
        for (const text of splitter.push(chunk)) lines.push({ client, from, text });
        other.write(chunk);
      });
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    path,
    lines,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
