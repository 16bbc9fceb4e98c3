import { connect, type Socket } from 'node:net';

/** Much more than a reply has; what is longer is none. */
const bufferBytes = 256;

/**
 * A connection to the program behind a socket, of which not one byte is read that nobody waits for: what
 * comes later belongs to whom the connection is handed to.
 */
export class BackEndConnection implements Disposable {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #end: 'open' | 'hung-up' | Error = 'open';
  #wake: () => void = () => undefined;

  /** @param path of a UNIX socket */
  constructor(path: string) {
    const callback = (count: number, buffer: Uint8Array): boolean => {
      this.#received = Buffer.concat([this.#received, buffer.subarray(0, count)]);
      this.#wake();
      return true;
    };
    const onread = { buffer: Buffer.alloc(bufferBytes), callback };
    // Half open, so that leaving can wait for the other side's end.
    this.socket = connect({ path, onread, allowHalfOpen: true });
    this.socket.on('error', (error) => this.#over(error));
    this.socket.on('end', () => this.#over('hung-up'));
    this.socket.on('connect', () => this.#wake());
  }

  /** What has come and was not understood yet. */
  get received(): Buffer {
    return this.#received;
  }

  /** Why nothing more comes; `open` while something may. */
  get end(): 'open' | 'hung-up' | Error {
    return this.#end;
  }

  get isConnected(): boolean {
    return !this.socket.connecting && this.#end === 'open';
  }

  /** Waits until something has come, the connection has changed, or {@link wake} was called. */
  async changed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  /** Ends the wait of {@link changed}. */
  wake(): void {
    this.#wake();
  }

  /** What has come was understood. */
  forget(): void {
    this.#received = Buffer.alloc(0);
  }

  /** Reads no more: whatever comes stays for whom the connection is handed to. */
  keepUnread(): void {
    this.socket.pause();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #over(end: 'hung-up' | Error): void {
    if (this.#end === 'open') this.#end = end;
    this.#wake();
  }
}
