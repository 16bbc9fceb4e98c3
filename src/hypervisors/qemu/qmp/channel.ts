import type { Socket } from 'node:net';
import { LineSplitter } from './lines.ts';

// Invariants
// - Lines are handed out one by one in the order of the wire, and none after `destroy`.
// - `onEnd` is called at most once, and not after `destroy`.

export interface ChannelHandlers {
  onLine(line: string): void;
  /** A line was too long: a VmplugError `protocol-error`. */
  onBroken(error: unknown): void;
  /** The other side closed (no cause) or the socket failed. */
  onLost(cause: Error | undefined): void;
  /** The socket takes bytes again. */
  onRoom(): void;
}

/**
 * Sends bytes over a socket, with a descriptor of its own, in one call that does not wait; returns how many
 * the kernel took, 0 for none and no descriptor either.
 */
export type SendWithDescriptor = (socket: Socket, bytes: Uint8Array) => number;

/** Lines in and text out over a connected socket, which it owns. */
export class LineChannel {
  readonly #socket: Socket;
  readonly #lines: LineSplitter;
  readonly #handlers: ChannelHandlers;
  readonly #closed = Promise.withResolvers<void>();
  #over = false;
  #holds = true;

  constructor(socket: Socket, maxLineBytes: number | undefined, handlers: ChannelHandlers) {
    this.#socket = socket;
    this.#lines = new LineSplitter(maxLineBytes);
    this.#handlers = handlers;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('drain', () => handlers.onRoom());
    socket.on('error', (error) => this.#lost(error));
    socket.on('end', () => this.#lost(undefined));
    socket.on('close', () => {
      this.#lost(undefined);
      this.#closed.resolve();
    });
  }

  /** Bytes of a line that has not ended. */
  get pendingBytes(): number {
    return this.#lines.pendingBytes;
  }

  /** Whether a write would wait in this process, where nobody could say how much of it has gone. */
  get blocked(): boolean {
    return this.#over || this.#socket.writableNeedDrain || this.#socket.errored !== null;
  }

  /**
   * Writes to a channel that isn't blocked. False: the kernel took nothing. A stream socket tries at
   * once, and when that first try fails, its error is there before `write` returns.
   */
  write(text: string): boolean {
    this.#socket.write(text);
    return this.#socket.errored === null;
  }

  /** Whether the kernel has taken all that was written. */
  get allWritten(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Calls back when what has been written so far was taken. */
  whenWritten(callback: () => void): void {
    this.#socket.write('', () => callback());
  }

  /**
   * As {@link write}, by `send`, when the kernel has taken all that was written before: a descriptor goes
   * with the bytes of its own call.
   */
  writeBy(send: SendWithDescriptor, text: string): boolean {
    const bytes = Buffer.from(text, 'utf8');
    const sent = send(this.#socket, bytes);
    if (sent > 0 && sent < bytes.length) this.#socket.write(bytes.subarray(sent));
    return sent > 0;
  }

  /** Whether the open socket keeps the process alive; at first it does. */
  hold(holds: boolean): void {
    if (holds !== this.#holds) {
      this.#holds = holds;
      if (holds) {
        this.#socket.ref();
      } else {
        this.#socket.unref();
      }
    }
  }

  /** Ends without a word to the handlers; resolves when the descriptor is closed. */
  destroy(): Promise<void> {
    this.#over = true;
    this.#socket.destroy();
    return this.#closed.promise;
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        this.#handlers.onLine(line);
        if (this.#over) {
          return;
        }
      }
    } catch (error) {
      this.#handlers.onBroken(error);
    }
  }

  #lost(cause: Error | undefined): void {
    if (!this.#over) {
      this.#over = true;
      this.#handlers.onLost(cause);
    }
  }
}
