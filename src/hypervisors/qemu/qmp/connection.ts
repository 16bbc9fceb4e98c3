import type { VmplugError } from '../../../api/errors.ts';
import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { QmpCommand } from './commands.ts';
import { notReady } from './connect-errors.ts';
import { dial } from './dial.ts';
import type { QmpEventListener } from './events.ts';
import { gaveUpAlready, watchLimits, type WaitOptions } from './limits.ts';
import type { QmpGreeting } from './messages.ts';
import { QmpSession } from './session.ts';

/** The deadline of a command that brings none: pinning a large guest's memory takes its time. */
const defaultCommandTimeoutMs = 30_000;

export interface QmpConnectionOptions {
  /** Deadline for connecting, greeting and negotiation together, in milliseconds. */
  readonly timeoutMs: number;
  /** Gives up connecting. Has no say once connected. */
  readonly signal?: AbortSignal | undefined;
  /** The longest line taken, in bytes; 16 MiB by default. */
  readonly maxLineBytes?: number | undefined;
  /** Deadline of commands that bring none, in milliseconds; 30 s by default. */
  readonly commandTimeoutMs?: number | undefined;
  /** Gets every event from the first byte on, also those that come before `connect` resolves. */
  readonly onEvent?: QmpEventListener | undefined;
}

/**
 * One connection to a QMP server, multiplexed by command id (QEMU: docs/interop/qmp-spec).
 *
 * It ends when the socket is lost (`vm-gone`) or the server breaks the protocol (`protocol-error`: a
 * line that is no message, a line too long, an error without id, a second greeting). A reply that nobody
 * waits for is ignored. At the end, commands that were sent reject with `outcome-unknown`; those
 * that were not, and later ones, with the code of the end (`aborted` after {@link close}) and
 * `facts.sent` false.
 */
export class QmpConnection implements AsyncDisposable {
  readonly path: string;
  /** What the server said about itself. */
  readonly greeting: QmpGreeting;
  readonly #session: QmpSession;
  readonly #commandTimeoutMs: number;

  private constructor(path: string, session: QmpSession, greeting: QmpGreeting, commandTimeoutMs: number) {
    this.path = path;
    this.greeting = greeting;
    this.#session = session;
    this.#commandTimeoutMs = commandTimeoutMs;
  }

  /**
   * Connects, waits for the greeting and negotiates.
   * @throws VmplugError `vm-gone` with `facts.reason` `no-socket`, `refused` or `closed`; `monitor-busy`
   *   when nothing greets in time (QEMU serves one client at a time); `not-qmp`; `deadline-passed` when it
   *   greets but doesn't negotiate in time; `vmm-refused`; `aborted`; `protocol-error`; `invalid-argument`
   *   (the path cannot be a socket's, or `facts.reason` is `denied`: no permission)
   */
  static async connect(path: string, options: QmpConnectionOptions): Promise<QmpConnection> {
    const early = gaveUpAlready(options);
    if (early !== undefined) {
      throw notReady(path, early, 'unconnected');
    }
    const stop = new AbortController();
    const release = watchLimits(options, (why) => stop.abort(why));
    try {
      const session = new QmpSession(await dial(path, stop.signal), path, options.maxLineBytes);
      if (options.onEvent !== undefined) {
        session.events.onEvent(options.onEvent);
      }
      const greeting = await session.negotiate(stop.signal);
      return new QmpConnection(path, session, greeting, options.commandTimeoutMs ?? defaultCommandTimeoutMs);
    } finally {
      release();
    }
  }

  /** Whether no command waits for an answer, those given up included. */
  get idle(): boolean {
    return this.#session.idle;
  }

  /** Whether the connection has ended. */
  get ended(): boolean {
    return this.#session.ended;
  }

  /** Resolves at the end: with the reason, or undefined after {@link close}. Never rejects. */
  get closed(): Promise<VmplugError | undefined> {
    return this.#session.closed;
  }

  /**
   * Runs one command and resolves with its `return`. Several may be in flight.
   * @throws VmplugError `vmm-refused` (`qmpErrorOf` has the VMM's words); `aborted` or `deadline-passed`
   *   (`facts.sent`: the VMM may still carry it out; the connection goes on); `outcome-unknown`
   *   (sent, then the connection ended); `vm-gone` or `protocol-error` (ended before, not sent);
   *   `monitor-busy` (10,000 commands wait already, not sent); `invalid-argument`
   */
  async execute(command: string, args?: JsonObject, options: WaitOptions = {}): Promise<JsonValue> {
    return this.#add([{ execute: command, arguments: args }], options)[0] ?? null;
  }

  /**
   * Runs commands that go out in one write (in several if longer than about 64 KiB), in this order. Each
   * promise settles on its own as with {@link execute}, and none has to be handled. When one
   * command cannot be sent, none is, and all reject with the same error.
   */
  batch(commands: readonly QmpCommand[], options: WaitOptions = {}): Promise<JsonValue>[] {
    let replies: Promise<JsonValue>[];
    try {
      replies = this.#add(commands, options);
    } catch (error) {
      const refusal = error instanceof Error ? error : new Error(String(error));
      replies = commands.map(() => Promise.reject(refusal));
    }
    for (const reply of replies) {
      reply.catch(() => undefined);
    }
    return replies;
  }

  /** Adds a listener for every event; the returned function removes it. */
  onEvent(listener: QmpEventListener): () => void {
    return this.#session.events.onEvent(listener);
  }

  /**
   * Adds a listener for the events about one device, not those about its children; the returned
   * function removes it. Add it before the command that causes the event: the event may come first.
   */
  onDeviceEvent(id: string, listener: QmpEventListener): () => void {
    return this.#session.events.onDeviceEvent(id, listener);
  }

  /** The open connection keeps the process alive, as at first. */
  ref(): void {
    this.#session.reference(true);
  }

  /** The connection keeps the process alive only while a command waits for its reply. */
  unref(): void {
    this.#session.reference(false);
  }

  /** Ends the connection at once; resolves when the socket is closed. May be called again. */
  close(): Promise<void> {
    return this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#session.close();
  }

  #add(commands: readonly QmpCommand[], options: WaitOptions): Promise<JsonValue>[] {
    const timeoutMs = options.timeoutMs ?? this.#commandTimeoutMs;
    return this.#session.add(commands, { signal: options.signal, timeoutMs });
  }
}
