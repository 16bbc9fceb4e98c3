import { hasCode, type VmplugError } from '../../../api/errors.ts';
import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { QmpCommand } from './commands.ts';
import { notReady } from './connect-errors.ts';
import { QmpConnection, type QmpConnectionOptions } from './connection.ts';
import { EventRouter, type QmpEventListener } from './events.ts';
import { gaveUpAlready, type GaveUp, type WaitOptions } from './limits.ts';
import { Listeners } from './listeners.ts';
import { SharedAttempt } from './shared-attempt.ts';

export interface QmpClientOptions extends Omit<QmpConnectionOptions, 'timeoutMs' | 'signal'> {
  /** Deadline of one attempt to connect, in milliseconds; 5 s by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** Looks at every connection before anything else is sent on it; where it throws, there is none. */
  readonly check?: ((connection: QmpConnection, limits: WaitOptions) => Promise<void>) | undefined;
}

const closedHere: GaveUp = { code: 'aborted', reason: 'the client is closed or nobody waits any more' };

// Invariants
// - At most one connection stands and at most one attempt runs, which all callers share.
// - A command is sent a second time only when the first connection proved that it never went out.
// - `onReconnect` is told before any command goes out on the new connection.

/**
 * A QMP server at a path: connects on first use, and again on the next use after a loss.
 * Its listeners outlive the connections. Events between a loss and the next use are missed, which
 * `onLost` and `onReconnect` tell: settle then by asking what an event would have said.
 */
export class QmpClient implements AsyncDisposable {
  readonly path: string;
  readonly #options: QmpClientOptions;
  readonly #events = new EventRouter();
  readonly #lost = new Listeners<VmplugError>();
  readonly #reconnected = new Listeners<QmpConnection>();
  #connection: QmpConnection | undefined;
  #attempt: SharedAttempt<QmpConnection> | undefined;
  #wasConnected = false;
  #referenced = true;
  #closed = false;

  constructor(path: string, options: QmpClientOptions = {}) {
    this.path = path;
    this.#options = options;
    if (options.onEvent !== undefined) {
      this.#events.onEvent(options.onEvent);
    }
  }

  /**
   * The connection that stands, or a new one.
   * @throws VmplugError as {@link QmpConnection.connect}; `aborted` once the client is closed
   */
  async connect(limits: WaitOptions = {}): Promise<QmpConnection> {
    const early = this.#closed ? closedHere : gaveUpAlready(limits);
    if (early !== undefined) {
      throw notReady(this.path, early, 'unconnected');
    }
    if (this.#connection?.ended === false) {
      return this.#connection;
    }
    const attempt = this.#attempt?.open === true ? this.#attempt : this.#begin();
    return attempt.join(limits, (why) => notReady(this.path, why, 'silent'));
  }

  /** As {@link QmpConnection.execute}; the deadline includes connecting. */
  async execute(command: string, args?: JsonObject, options: WaitOptions = {}): Promise<JsonValue> {
    const { signal, timeoutMs } = options;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    const left = (): WaitOptions =>
      deadline === undefined ? { signal } : { signal, timeoutMs: deadline - performance.now() };
    const connection = await this.connect(left());
    try {
      return await connection.execute(command, args, left());
    } catch (error) {
      const lostBefore = hasCode(error, 'vm-gone') && error.facts['sent'] === false;
      if (!lostBefore) {
        throw error;
      }
    }
    return (await this.connect(left())).execute(command, args, left());
  }

  /** As {@link QmpConnection.batch}; connects first if need be. */
  batch(commands: readonly QmpCommand[], options: WaitOptions = {}): Promise<JsonValue>[] {
    if (this.#connection?.ended === false) {
      return this.#connection.batch(commands, options);
    }
    const connecting = this.connect(options);
    const all = connecting.then((connection) => connection.batch(commands, options));
    return commands.map((_, index) => {
      const reply = all.then((replies) => replies[index] ?? null);
      reply.catch(() => undefined);
      return reply;
    });
  }

  /** Adds a listener for every event; the returned function removes it. */
  onEvent(listener: QmpEventListener): () => void {
    return this.#events.onEvent(listener);
  }

  /** Adds a listener for the events about one device, see {@link QmpConnection.onDeviceEvent}. */
  onDeviceEvent(id: string, listener: QmpEventListener): () => void {
    return this.#events.onDeviceEvent(id, listener);
  }

  /** Told at once when a connection is lost: from now on events are missed. */
  onLost(listener: (error: VmplugError) => void): () => void {
    return this.#lost.add(listener);
  }

  /** Told of each connection but the first: events may have been missed, and the VM be another. */
  onReconnect(listener: (connection: QmpConnection) => void): () => void {
    return this.#reconnected.add(listener);
  }

  /**
   * Ends the present connection, unless a command waits for an answer on it: a QMP socket serves one
   * client at a time, and others get their turn. The next use connects again, which `onReconnect` tells.
   */
  async giveWay(): Promise<void> {
    const connection = this.#connection;
    if (connection?.ended === false && connection.idle) {
      await connection.close();
    }
  }

  /** An open connection keeps the process alive, as at first. */
  ref(): void {
    this.#referenced = true;
    this.#connection?.ref();
  }

  /** A connection keeps the process alive only while a command waits for its reply. */
  unref(): void {
    this.#referenced = false;
    this.#connection?.unref();
  }

  /** Ends for good, the attempt that runs included. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#events.clear();
    await this.#attempt?.stop();
    await this.#connection?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(): SharedAttempt<QmpConnection> {
    const attempt = new SharedAttempt((stop) => this.#make(stop));
    this.#attempt = attempt;
    return attempt;
  }

  async #make(signal: AbortSignal): Promise<QmpConnection> {
    const { connectTimeoutMs = 5000, check, ...rest } = this.#options;
    const limits = { timeoutMs: connectTimeoutMs, signal };
    const connection = await QmpConnection.connect(this.path, {
      ...rest,
      ...limits,
      onEvent: (event) => this.#events.dispatch(event),
    });
    try {
      await check?.(connection, limits);
    } catch (error) {
      await connection.close();
      throw error;
    }
    if (signal.aborted) {
      await connection.close();
      throw notReady(this.path, closedHere, 'greeted');
    }
    this.#adopt(connection);
    return connection;
  }

  #adopt(connection: QmpConnection): void {
    this.#connection = connection;
    if (!this.#referenced) {
      connection.unref();
    }
    void connection.closed.then((ending) => {
      if (ending !== undefined) {
        this.#lost.emit(ending);
      }
    });
    if (this.#wasConnected) {
      this.#reconnected.emit(connection);
    }
    this.#wasConnected = true;
  }
}
