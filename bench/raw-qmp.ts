import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly device?: string };
}

/**
 * QMP with nothing around it, as somebody would write it in an afternoon: no ids (QEMU answers
 * in order), no deadlines, no reconnecting. The floor under everything that speaks to QEMU.
 */
export class RawQmp implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #deleted = new Map<string, () => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('QEMU closed the connection')));
    createInterface({ input: socket }).on('line', (line) => this.#take(JSON.parse(line) as Message));
  }

  static async connect(path: string): Promise<RawQmp> {
    const socket = connect(path);
    await once(socket, 'connect');
    const qmp = new RawQmp(socket);
    await Promise.all(qmp.send({ execute: 'qmp_capabilities' }));
    return qmp;
  }

  /** Sends commands in one write; one promise for each reply. */
  send(...commands: readonly object[]): Promise<unknown>[] {
    const replies = commands.map(
      () => new Promise<unknown>((resolve, reject) => this.#waiting.push({ resolve, reject })),
    );
    this.#socket.write(commands.map((command) => JSON.stringify(command)).join('\n'));
    return replies;
  }

  /** Waits for the DEVICE_DELETED that names a device. Call it before `device_del` is sent. */
  deleted(device: string): Promise<void> {
    return new Promise((resolve) => this.#deleted.set(device, resolve));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(message: Message): void {
    if (message.event !== undefined) {
      const device = message.event === 'DEVICE_DELETED' ? message.data?.device : undefined;
      if (device === undefined) return;
      this.#deleted.get(device)?.();
      this.#deleted.delete(device);
    } else if (message.error !== undefined) {
      this.#waiting.shift()?.reject(new Error(message.error.desc));
    } else if ('return' in message) {
      this.#waiting.shift()?.resolve(message.return);
    }
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
