import { createServer, type Server, type Socket } from 'node:net';
import type { MessagePoints } from './message-points.ts';
import { QmpSession } from './qmp-session.ts';
import type { SimulatedQemu } from './simulated-qemu.ts';

/**
 * The QMP socket of a simulated QEMU. It serves one client at a time, and the next one waits
 * without a word, as in QEMU.
 */
export class QmpListener implements AsyncDisposable {
  readonly path: string;
  readonly #vm: SimulatedQemu;
  readonly #points: MessagePoints;
  readonly #server: Server;
  readonly #waiting: Socket[] = [];
  readonly #sockets = new Set<Socket>();
  #served: Socket | undefined;

  private constructor(vm: SimulatedQemu, path: string, points: MessagePoints) {
    this.path = path;
    this.#vm = vm;
    this.#points = points;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  /** Listens at `path`; what is there already makes it fail with EADDRINUSE. */
  static async listen(vm: SimulatedQemu, path: string, points: MessagePoints): Promise<QmpListener> {
    const listener = new QmpListener(vm, path, points);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', reject);
      listener.#server.listen(path, resolve);
    });
    // The client that is served hears the last words first.
    vm.machine.onDeath(() => setImmediate(() => void listener.close()));
    return listener;
  }

  /** Whether a client is being served. */
  get isServing(): boolean {
    return this.#served !== undefined;
  }

  /** Cuts the client that is served off; the next one has its turn. */
  cutOff(): void {
    this.#served?.destroy();
  }

  /** Ends, with all clients and the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#left(socket));
    // A client that dies while it writes or is written to is a client that is gone.
    socket.on('error', () => socket.destroy());
    this.#waiting.push(socket);
    this.#next();
  }

  #next(): void {
    if (this.#served !== undefined) return;
    const socket = this.#waiting.shift();
    if (socket === undefined) return;
    this.#served = socket;
    const session = new QmpSession(this.#vm, this.#points, {
      write: (text) => void socket.write(text),
      drop: () => socket.destroySoon(),
    });
    socket.on('data', (chunk: Buffer) => session.push(chunk));
    socket.on('close', () => session.end());
    socket.resume();
  }

  #left(socket: Socket): void {
    this.#sockets.delete(socket);
    const index = this.#waiting.indexOf(socket);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (this.#served !== socket) return;
    this.#served = undefined;
    this.#next();
  }
}
