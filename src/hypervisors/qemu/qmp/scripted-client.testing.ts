import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/** The version in the greeting. */
export interface ScriptedVersion {
  readonly major: number;
  readonly minor: number;
  readonly micro: number;
}

/** A command as it came over the wire. */
export interface ScriptedCommand {
  readonly execute: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly id: unknown;
  /** The line itself, for what JSON.parse rounds. */
  readonly text: string;
}

/** Return or throw it from `onCommand` for an error reply. */
export class ScriptedFailure extends Error {
  readonly class: string;

  constructor(desc: string, name = 'GenericError') {
    super(desc);
    this.class = name;
  }
}

/** The server's end of one connection, with every byte in the hands of the test. */
export class ScriptedPeer {
  readonly socket: Socket;
  /** All commands so far, without a `qmp_capabilities` that was answered by itself. */
  readonly commands: ScriptedCommand[] = [];
  /** How many chunks of bytes were read. */
  chunks = 0;
  /** When above 0, everything goes out in pieces of so many bytes, one a turn of the event loop. */
  pieceLength = 0;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
  readonly #version: ScriptedVersion | undefined;
  #arrived = Promise.withResolvers<void>();
  #taken = 0;
  #outgoing: Promise<void> = Promise.resolve();

  constructor(socket: Socket, version: ScriptedVersion | undefined) {
    this.socket = socket;
    this.#version = version;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve();
      this.#arrived.resolve();
    });
  }

  greet(): void {
    const qemu = this.#version ?? { major: 7, minor: 2, micro: 0 };
    this.send({ QMP: { version: { qemu, package: 'scripted' }, capabilities: ['oob'] } });
  }

  reply(id: unknown, value: unknown = {}): void {
    this.send({ return: value, id });
  }

  fail(id: unknown, desc: string, name = 'GenericError'): void {
    this.send({ id, error: { class: name, desc } });
  }

  event(event: string, data?: Readonly<Record<string, unknown>>): void {
    this.send({ timestamp: { seconds: 1_700_000_000, microseconds: 1 }, event, data });
  }

  /** Sends a message as a line, ended as QEMU does. */
  send(message: unknown): void {
    this.raw(`${JSON.stringify(message)}\r\n`);
  }

  /** Sends bytes as they are, after all before them. */
  raw(bytes: string | Uint8Array): void {
    const buffer = Buffer.from(bytes);
    const length = this.pieceLength;
    this.#then(async () => {
      for (let at = 0; at < buffer.length; at += length === 0 ? buffer.length : length) {
        this.socket.write(length === 0 ? buffer : buffer.subarray(at, at + length));
        if (length > 0) {
          await turn();
        }
      }
    });
  }

  /** Closes in order, after everything sent before. */
  end(): void {
    this.#then(() => {
      this.socket.end();
    });
  }

  /** Closes at once, after everything sent before. */
  destroy(): void {
    this.#then(() => {
      this.socket.destroy();
    });
  }

  /** Resolves when everything up to here has been written. */
  get sent(): Promise<void> {
    return this.#outgoing;
  }

  /** The next command that no earlier call returned. Rejects when the client left before. */
  async nextCommand(): Promise<ScriptedCommand> {
    for (;;) {
      const command = this.commands[this.#taken];
      if (command !== undefined) {
        this.#taken += 1;
        return command;
      }
      if (this.socket.destroyed) {
        throw new Error('the client left without another command');
      }
      await this.#arrived.promise;
    }
  }

  /** For the server: notes a command. */
  note(command: ScriptedCommand): void {
    this.commands.push(command);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }

  #then(step: () => void | Promise<void>): void {
    this.#outgoing = this.#outgoing.then(step);
  }
}
