import { hasCode } from '../../api/errors.ts';
import type { ExchangeOptions } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import { qomProperties, readReply, type QomProperties } from './replies.ts';

/** Sends commands without waiting in between: as a QMP connection does. */
export type Batch = (commands: readonly Command[], options: ExchangeOptions) => Promise<JsonValue>[];

/**
 * Reads the object model; questions asked in the same turn of the event loop leave together.
 * What is not there reads as nothing: devices come and go while we look.
 */
export class QomReader {
  readonly #batch: Batch;
  readonly #options: ExchangeOptions;
  readonly #types = new Map<string, Promise<JsonValue | undefined>>();
  #waiting: { command: Command; settle: (reply: Promise<JsonValue>) => void }[] = [];

  constructor(batch: Batch, options: ExchangeOptions) {
    this.#batch = batch;
    this.#options = options;
  }

  /** What an object has: children, links, properties. */
  async list(path: string): Promise<QomProperties> {
    const reply = await this.ask({ execute: 'qom-list', arguments: { path } });
    return reply === undefined ? [] : readReply(qomProperties, reply, 'qom-list');
  }

  /** The type of an object that many have in common; asked once. */
  async typeOf(path: string): Promise<JsonValue | undefined> {
    const known = this.#types.get(path) ?? this.get(path, 'type');
    this.#types.set(path, known);
    return known;
  }

  async get(path: string, property: string): Promise<JsonValue | undefined> {
    return this.ask({ execute: 'qom-get', arguments: { path, property } });
  }

  /** The reply; `undefined` when QEMU refuses the question. */
  async ask(command: Command): Promise<JsonValue | undefined> {
    const reply = new Promise<JsonValue>((settle) => {
      this.#waiting.push({ command, settle });
      if (this.#waiting.length === 1) setImmediate(() => this.#send());
    });
    try {
      return await reply;
    } catch (error) {
      if (hasCode(error, 'vmm-refused')) return undefined;
      throw error;
    }
  }

  #send(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const replies = this.#batch(
      waiting.map(({ command }) => command),
      this.#options,
    );
    waiting.forEach(({ settle }, index) => {
      const reply = replies[index];
      if (reply !== undefined) settle(reply);
    });
  }
}
