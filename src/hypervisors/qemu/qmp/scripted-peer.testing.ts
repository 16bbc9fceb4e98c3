import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ScriptedFailure,
  ScriptedPeer,
  type ScriptedCommand,
  type ScriptedVersion,
} from './scripted-client.testing.ts';

export { ScriptedFailure, ScriptedPeer, type ScriptedCommand };

export interface ScriptedQmpOptions {
  /** Where to listen; a new temporary directory by default. */
  readonly path?: string;
  readonly version?: ScriptedVersion;
  /** What to do with a client when it is its turn; greets by default. */
  readonly onConnect?: (peer: ScriptedPeer) => void;
  /**
   * What a command is answered: a value (`return`), a ScriptedFailure, a promise of these, or undefined
   * for nothing, when the test answers itself. By default CommandNotFound.
   */
  readonly onCommand?: (command: ScriptedCommand, peer: ScriptedPeer) => unknown;
  /** Whether `qmp_capabilities` is answered without asking `onCommand`; true by default. */
  readonly negotiate?: boolean;
  /** Whether the next client waits until the one before has left, as in QEMU; true by default. */
  readonly oneAtATime?: boolean;
}

/** A QMP server of the test's making, on a real UNIX socket. */
export class ScriptedQmp implements AsyncDisposable {
  readonly path: string;
  /** All clients so far, in the order in which they were served. */
  readonly peers: ScriptedPeer[] = [];
  readonly #options: ScriptedQmpOptions;
  readonly #server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  readonly #sockets = new Set<Socket>();
  #serving: Promise<unknown> = Promise.resolve();
  #arrived = Promise.withResolvers<void>();
  #connected = Promise.withResolvers<void>();
  #taken = 0;

  constructor(path: string, options: ScriptedQmpOptions) {
    this.path = path;
    this.#options = options;
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** How many clients are connected, those that wait included. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** The next client that was served and that no earlier call returned. */
  async nextPeer(): Promise<ScriptedPeer> {
    for (;;) {
      const peer = this.peers[this.#taken];
      if (peer !== undefined) {
        this.#taken += 1;
        return peer;
      }
      await this.#arrived.promise;
    }
  }

  /** Resolves when `count` clients are connected, served or not. */
  async connected(count: number): Promise<void> {
    while (this.#sockets.size < count) {
      await this.#connected.promise;
    }
  }

  listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.path, () => resolve());
    return promise;
  }

  /** Ends every connection and stops listening. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    await promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    this.#connected.resolve();
    this.#connected = Promise.withResolvers<void>();
    const peer = new ScriptedPeer(socket, this.#options.version);
    socket.on('close', () => this.#sockets.delete(socket));
    const serve = (): Promise<void> => {
      this.#serve(peer);
      return peer.closed;
    };
    if (this.#options.oneAtATime === false) {
      void serve();
    } else {
      this.#serving = this.#serving.then(serve);
    }
  }

  #serve(peer: ScriptedPeer): void {
    let text = '';
    peer.socket.on('data', (chunk: Buffer) => {
      peer.chunks += 1;
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        void this.#take(line, peer);
      }
    });
    peer.socket.on('end', () => peer.socket.end());
    peer.socket.resume();
    this.peers.push(peer);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
    (this.#options.onConnect ?? ((client) => client.greet()))(peer);
  }

  async #take(text: string, peer: ScriptedPeer): Promise<void> {
    const { execute, arguments: args = {}, id } = JSON.parse(text);
    const command: ScriptedCommand = { execute, arguments: args, id, text };
    if (execute === 'qmp_capabilities' && this.#options.negotiate !== false) {
      peer.reply(id);
      return;
    }
    peer.note(command);
    const answer = await this.#answer(command, peer);
    if (answer instanceof ScriptedFailure) {
      peer.fail(id, answer.message, answer.class);
    } else if (answer !== undefined) {
      peer.reply(id, answer);
    }
  }

  async #answer(command: ScriptedCommand, peer: ScriptedPeer): Promise<unknown> {
    if (this.#options.onCommand === undefined) {
      return new ScriptedFailure(`The command ${command.execute} has not been found`, 'CommandNotFound');
    }
    try {
      return await this.#options.onCommand(command, peer);
    } catch (error) {
      return error instanceof ScriptedFailure ? error : new ScriptedFailure(String(error));
    }
  }
}

/** Starts a scripted QMP server; dispose of it with `await using` or `close()`. */
export async function startScriptedQmp(options: ScriptedQmpOptions = {}): Promise<ScriptedQmp> {
  if (options.path !== undefined) {
    const server = new ScriptedQmp(options.path, options);
    await server.listen();
    return server;
  }
  const directory = await mkdtemp(join(tmpdir(), 'scripted-qmp-'));
  const server = new ScriptedQmp(join(directory, 'qmp.sock'), options);
  await server.listen();
  const close = server.close.bind(server);
  server.close = async () => {
    await close();
    await rm(directory, { recursive: true, force: true });
  };
  return server;
}
