/** Where a conversation is. */
export interface MessagePoint {
  /** Counts every command and every event of a VM, from 1. */
  readonly index: number;
  readonly kind: 'command' | 'event';
  /** `device_add`, `DEVICE_DELETED` */
  readonly name: string;
  /**
   * `before`: the command has come, and is not carried out; `done`: it is carried out, and not
   * answered; `after`: the answer is written. Of an event: before and after it is written.
   */
  readonly phase: 'before' | 'done' | 'after';
}

/**
 * What is to be done there. `drop`: the connection ends at once, and what was to come next is left
 * undone; everything goes on otherwise.
 */
export type AtPoint = 'go-on' | 'drop';

/** Is told of a point, and can hold the conversation there: it goes on when the promise resolves. */
export type PointWatcher = (point: MessagePoint) => Promise<AtPoint> | AtPoint | undefined;

/** The points of one VM. */
export class MessagePoints {
  readonly #watchers = new Set<PointWatcher>();
  #count = 0;

  /** How many commands and events there were. */
  get count(): number {
    return this.#count;
  }

  watch(watcher: PointWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  next(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Tells the watchers; a promise only where one of them holds the conversation. */
  reach(point: MessagePoint): Promise<AtPoint> | AtPoint {
    const answers = [...this.#watchers].map((watcher) => watcher(point) ?? 'go-on');
    const given = answers.filter((answer) => typeof answer === 'string');
    const held = answers.filter((answer) => typeof answer !== 'string');
    if (held.length === 0) return worst(given);
    return Promise.all(held).then((then) => worst([...given, ...then]));
  }
}

function worst(answers: readonly AtPoint[]): AtPoint {
  return answers.includes('drop') ? 'drop' : 'go-on';
}
