import type { JsonValue } from '../../../api/json.ts';
import { encodeCommand, type QmpCommand } from './commands.ts';
import type { SendWithDescriptor } from './channel.ts';
import { cutOff, givenUp, notTaken, tableFull, type Ending } from './endings.ts';
import { gaveUpAlready, watchLimits, type GaveUp, type WaitOptions } from './limits.ts';
import type { QmpMessage } from './messages.ts';
import { refused } from './qmp-error.ts';

type CommandReply = Extract<QmpMessage, { kind: 'return' | 'error' }>;

// Invariants
// - An id is given out once and never again.
// - An entry is in `entries` from its birth until its reply, its withdrawal or the end. An
//   abandoned one stays, to know its late reply, and counts towards the capacity: the VMM has it.
// - queued → sent → answered. Only what is queued can be withdrawn: then the VMM never gets it.
// - A promise settles once, and its timer and listener are released at that moment.

export interface Entry {
  readonly id: number;
  readonly command: string;
  readonly line: string;
  readonly send: SendWithDescriptor | undefined;
  readonly resolve: (value: JsonValue) => void;
  readonly reject: (error: Error) => void;
  release: () => void;
  sent: boolean;
  abandoned: boolean;
}

/** The commands of one connection that have no answer yet. Does no I/O. */
export class CommandTable {
  readonly #path: string;
  readonly #capacity: number;
  readonly #onWaiting: (waiting: boolean) => void;
  readonly #entries = new Map<number, Entry>();
  readonly #queue = new Set<Entry>();
  #lastId = 0;
  #waiting = 0;

  /** @param onWaiting told when the first caller begins to wait and when the last one stops */
  constructor(path: string, capacity: number, onWaiting: (waiting: boolean) => void) {
    this.#path = path;
    this.#capacity = capacity;
    this.#onWaiting = onWaiting;
  }

  /** Nothing is queued or unanswered, not even what was given up. */
  get idle(): boolean {
    return this.#entries.size === 0;
  }

  get waiting(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Queues all of `commands` or none.
   * @throws VmplugError `invalid-argument`, `monitor-busy` (the table is full), `aborted`, `deadline-passed`
   */
  add(commands: readonly QmpCommand[], limits: WaitOptions): Promise<JsonValue>[] {
    const early = gaveUpAlready(limits);
    if (early !== undefined) {
      throw givenUp(namesOf(commands), this.#path, false, early);
    }
    if (this.#entries.size + commands.length > this.#capacity) {
      throw tableFull(namesOf(commands), this.#path, this.#entries.size);
    }
    const first = this.#lastId + 1;
    const lines = commands.map((command, index) => encodeCommand(first + index, command, this.#path));
    return commands.map((command, index) => this.#enter(command, lines[index] ?? '', limits));
  }

  /** What sends the next queued entry, where that brings its own. */
  get nextSend(): SendWithDescriptor | undefined {
    const [next] = this.#queue;
    return next?.send;
  }

  /**
   * The next queued entries, at least one if there is one, of about `maxLength` characters together. One
   * that brings what sends it is the first of them.
   */
  take(maxLength: number): Entry[] {
    const taken: Entry[] = [];
    let length = 0;
    for (const entry of this.#queue) {
      if (taken.length > 0 && (entry.send !== undefined || length + entry.line.length > maxLength)) {
        break;
      }
      length += entry.line.length;
      taken.push(entry);
      this.#queue.delete(entry);
    }
    return taken;
  }

  /** Settles the command with this id; false when no such command was sent or its reply came before. */
  answer(reply: CommandReply): boolean {
    const entry = typeof reply.id === 'number' ? this.#entries.get(reply.id) : undefined;
    if (entry?.sent !== true) {
      return false;
    }
    this.#entries.delete(entry.id);
    if (!entry.abandoned) {
      this.#stopWaiting(entry);
      if (reply.kind === 'error') {
        entry.reject(refused(entry.command, this.#path, reply.error));
      } else {
        entry.resolve(reply.value);
      }
    }
    return true;
  }

  /** Rejects what was taken and could not be sent. */
  turnDown(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.delete(entry.id);
      this.#stopWaiting(entry);
      entry.reject(notTaken(entry.command, this.#path));
    }
  }

  /** Rejects everything that waits: nothing is answered any more. */
  end(ending: Ending): void {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#queue.clear();
    for (const entry of entries.filter(({ abandoned }) => !abandoned)) {
      this.#stopWaiting(entry);
      entry.reject(cutOff(entry.command, this.#path, entry.sent, ending));
    }
  }

  #enter({ execute: command, send }: QmpCommand, line: string, limits: WaitOptions): Promise<JsonValue> {
    const { promise, resolve, reject } = Promise.withResolvers<JsonValue>();
    const id = ++this.#lastId;
    const entry: Entry = { id, command, line, send, resolve, reject, release, sent: false, abandoned: false };
    this.#entries.set(id, entry);
    this.#queue.add(entry);
    if (++this.#waiting === 1) {
      this.#onWaiting(true);
    }
    entry.release = watchLimits(limits, (why) => this.#giveUp(entry, why));
    return promise;
  }

  #giveUp(entry: Entry, why: GaveUp): void {
    if (entry.sent) {
      entry.abandoned = true;
    } else {
      this.#queue.delete(entry);
      this.#entries.delete(entry.id);
    }
    this.#stopWaiting(entry);
    entry.reject(givenUp(entry.command, this.#path, entry.sent, why));
  }

  #stopWaiting(entry: Entry): void {
    entry.release();
    if (--this.#waiting === 0) {
      this.#onWaiting(false);
    }
  }
}

function release(): void {
  // Nothing is held yet.
}

function namesOf(commands: readonly QmpCommand[]): string {
  return commands.map(({ execute }) => execute).join(', ');
}
