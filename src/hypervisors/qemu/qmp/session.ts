import type { Socket } from 'node:net';
import type { JsonValue } from '../../../api/json.ts';
import { deviceLogger } from '../../../api/logger.ts';
import { LineChannel } from './channel.ts';
import { CommandTable } from './command-table.ts';
import type { QmpCommand } from './commands.ts';
import { notQmp, notReady } from './connect-errors.ts';
import { brokenProtocol, cutOff, lostSocket, type Ending } from './endings.ts';
import { EventRouter } from './events.ts';
import { gaveUpBy, type WaitOptions } from './limits.ts';
import { readMessage, type QmpGreeting, type QmpMessage } from './messages.ts';

/** Commands without an answer that one connection keeps, those given up included. */
const maxPendingCommands = 10_000;
/** About what one write carries, in characters. What is queued behind it can still be withdrawn. */
const writeLength = 65_536;

// Invariants
// - Commands go out in the order of the calls; those of one turn of the event loop in one write.
// - A command is sent from the moment its bytes are handed to the kernel, unless the kernel said at
//   once that it took none. What is queued here behind a full socket is not sent.
// - `end` runs once and settles every command; nothing is read, written or accepted after it.

/** The protocol over one socket: what each line does, what goes out when, and how it ends. */
export class QmpSession {
  readonly events = new EventRouter();
  /** Resolves at the end with its reason. */
  readonly closed: Promise<Ending>;
  readonly #path: string;
  readonly #channel: LineChannel;
  readonly #commands: CommandTable;
  readonly #greeted = Promise.withResolvers<QmpGreeting>();
  readonly #closed = Promise.withResolvers<Ending>();
  #greeting: QmpGreeting | undefined;
  #ended: { readonly ending: Ending } | undefined;
  #flushPlanned = false;
  #referenced = true;

  constructor(socket: Socket, path: string, maxLineBytes: number | undefined) {
    this.#path = path;
    this.closed = this.#closed.promise;
    this.#greeted.promise.catch(() => undefined);
    this.#commands = new CommandTable(path, maxPendingCommands, () => this.#hold());
    this.#channel = new LineChannel(socket, maxLineBytes, {
      onLine: (line) => this.#take(line),
      onBroken: (error) => this.#broken('it sent a line that is too long', error),
      onLost: (cause) => this.end(lostSocket(path, cause, this.#channel.pendingBytes)),
      onRoom: () => this.#flush(),
    });
  }

  get idle(): boolean {
    return this.#commands.idle;
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Waits for the greeting and negotiates; `stop` gives up, its reason may be a `GaveUp`. */
  async negotiate(stop: AbortSignal): Promise<QmpGreeting> {
    const giveUp = (): void => {
      const bytes = this.#channel.pendingBytes;
      const state = this.#greeting !== undefined ? 'greeted' : bytes > 0 ? 'unfinished' : 'silent';
      this.end(notReady(this.#path, gaveUpBy(stop), state));
    };
    stop.addEventListener('abort', giveUp, { once: true });
    if (stop.aborted) {
      giveUp();
    }
    try {
      const greeting = await this.#greeted.promise;
      await Promise.all(this.add([{ execute: 'qmp_capabilities' }], {}));
      return greeting;
    } catch (error) {
      const ending = this.#ended?.ending;
      await this.close();
      throw ending ?? error;
    } finally {
      stop.removeEventListener('abort', giveUp);
    }
  }

  /** Queues all of `commands` or none, see {@link CommandTable.add}. @throws VmplugError */
  add(commands: readonly QmpCommand[], limits: WaitOptions): Promise<JsonValue>[] {
    if (this.#ended !== undefined) {
      throw cutOff(commands.map(({ execute }) => execute).join(', '), this.#path, false, this.#ended.ending);
    }
    const replies = this.#commands.add(commands, limits);
    if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      queueMicrotask(() => this.#flush());
    }
    return replies;
  }

  /** Whether the idle session keeps the process alive. A command that waits always does. */
  reference(referenced: boolean): void {
    this.#referenced = referenced;
    this.#hold();
  }

  /** Ends for a reason, or without one when this process wants it. */
  end(ending: Ending): void {
    if (this.#ended !== undefined) {
      return;
    }
    this.#ended = { ending };
    this.events.clear();
    this.#commands.end(ending);
    this.#greeted.reject(ending ?? new Error('closed'));
    void this.#channel.destroy();
    this.#closed.resolve(ending);
  }

  /** Ends and waits until the socket is closed. */
  async close(): Promise<void> {
    this.end(undefined);
    await this.#channel.destroy();
  }

  #flush(): void {
    this.#flushPlanned = false;
    while (!this.#channel.blocked) {
      const send = this.#commands.nextSend;
      if (send !== undefined && !this.#channel.allWritten) {
        this.#channel.whenWritten(() => this.#flush());
        return;
      }
      const group = this.#commands.take(writeLength);
      if (group.length === 0) {
        return;
      }
      const text = group.map(({ line }) => line).join('');
      const isSent = send === undefined ? this.#channel.write(text) : this.#channel.writeBy(send, text);
      if (isSent) {
        for (const entry of group) {
          entry.sent = true;
        }
      } else if (send !== undefined) {
        this.#commands.turnDown(group);
      }
    }
  }

  #take(line: string): void {
    if (line.trim() === '') {
      return;
    }
    const message = readMessage(line);
    if (message.kind === 'event') {
      this.events.dispatch(message.event);
    } else if (this.#greeting === undefined) {
      this.#greet(message, line);
    } else {
      this.#handle(message);
    }
  }

  #greet(message: QmpMessage, line: string): void {
    if (message.kind === 'greeting') {
      this.#greeting = message.greeting;
      this.#greeted.resolve(message.greeting);
    } else {
      this.end(notQmp(this.#path, line));
    }
  }

  #handle(message: QmpMessage): void {
    if (message.kind === 'greeting') {
      this.#broken('it greeted twice: it has forgotten what it was sent');
    } else if (message.kind === 'garbage') {
      this.#broken(`it sent a line that is no message (${message.reason})`);
    } else if (message.kind === 'error' && message.id === undefined) {
      this.#broken(`it sent an error without id: ${message.error.desc}`, message.error);
    } else if (message.kind !== 'event' && !this.#commands.answer(message)) {
      deviceLogger().debug('qmp: ignored a reply that no command waits for', {
        socket: this.#path,
        id: message.id,
      });
    }
  }

  #broken(reason: string, cause?: unknown): void {
    this.end(
      this.#greeting === undefined ? notQmp(this.#path, '') : brokenProtocol(this.#path, reason, cause),
    );
  }

  #hold(): void {
    this.#channel.hold(this.#referenced || this.#commands.waiting);
  }
}
