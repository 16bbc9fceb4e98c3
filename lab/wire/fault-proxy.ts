import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { WireFault, WireMessage } from './faults.ts';
import { FaultyConnection, type Armed } from './faulty-connection.ts';

/** A fault, and the message that it befalls. */
export interface PlannedFault {
  readonly at: Pick<WireMessage, 'from' | 'kind' | 'name' | 'nth'>;
  readonly fault: WireFault;
}

/**
 * A QMP socket in front of another one, on which one message of a conversation goes wrong. Every
 * other message goes through as it is, in its order.
 */
export class FaultProxy implements AsyncDisposable, Armed {
  readonly path: string;
  readonly #target: string;
  readonly #server: Server;
  readonly #connections = new Set<FaultyConnection>();
  readonly #others = new Set<Socket>();
  readonly #counts = new Map<string, number>();
  #messages: WireMessage[] = [];
  #planned: PlannedFault | undefined;
  #isReached = false;

  private constructor(path: string, target: string) {
    this.path = path;
    this.#target = target;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens at `path` for clients of the server at `target`. */
  static async start(path: string, target: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(path, target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject);
      proxy.#server.listen(path, resolve);
    });
    return proxy;
  }

  /** The messages since {@link arm}, in the order in which they came here. */
  get messages(): readonly WireMessage[] {
    return this.#messages;
  }

  /** Whether the fault has befallen its message. */
  get isReached(): boolean {
    return this.#isReached;
  }

  /** How many clients there are. */
  get clients(): number {
    return this.#connections.size;
  }

  /** Counts messages anew; without a fault all of them go through. */
  arm(planned?: PlannedFault): void {
    this.#planned = planned;
    this.#isReached = false;
    this.#messages = [];
    this.#counts.clear();
  }

  next(from: WireMessage['from'], { kind, name }: Pick<WireMessage, 'kind' | 'name'>): WireFault | undefined {
    const key = `${kind} ${name}`;
    const nth = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, nth);
    this.#messages.push({ from, kind, name, nth });
    const { at, fault } = this.#planned ?? {};
    if (at === undefined || this.#isReached || at.kind !== kind || at.name !== name || at.nth !== nth)
      return undefined;
    this.#isReached = true;
    return fault;
  }

  /** Another client comes first: a QMP server serves one at a time, in the order in which they came. */
  letInAnother(ms: number): void {
    const other = createConnection(this.#target);
    this.#others.add(other);
    other.on('error', () => other.destroy());
    other.on('close', () => this.#others.delete(other));
    other.resume();
    other.once('data', () => setTimeout(() => other.destroy(), ms));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.end();
    for (const other of this.#others) other.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    const connection = new FaultyConnection(client, createConnection(this.#target), this);
    this.#connections.add(connection);
    void connection.ended.then(() => this.#connections.delete(connection));
  }
}
