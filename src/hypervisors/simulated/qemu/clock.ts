/** The time in which a guest does things, in milliseconds. */
export interface Clock {
  readonly now: number;
  /** Does something when so much time has passed; returns what calls it off. */
  after(ms: number, work: () => void): () => void;
}

/** The time of this host. A thing that is to come does not keep the process alive. */
export class RealClock implements Clock {
  get now(): number {
    return performance.now();
  }

  after(ms: number, work: () => void): () => void {
    const timer = setTimeout(work, ms);
    timer.unref();
    return () => clearTimeout(timer);
  }
}

interface Due {
  readonly at: number;
  readonly work: () => void;
}

/** A time that passes only when it is told to: things of one moment are done in the order in which they were put off. */
export class VirtualClock implements Clock {
  #now = 0;
  #due: Due[] = [];

  get now(): number {
    return this.#now;
  }

  /** How many things are to come. */
  get pending(): number {
    return this.#due.length;
  }

  after(ms: number, work: () => void): () => void {
    const due = { at: this.#now + Math.max(0, ms), work };
    this.#due.push(due);
    return () => {
      this.#due = this.#due.filter((other) => other !== due);
    };
  }

  /** Lets time pass, and does what comes due in it, also what is put off meanwhile. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      const done = next;
      this.#due = this.#due.filter((other) => other !== done);
      this.#now = done.at;
      done.work();
    }
    this.#now = end;
  }

  #next(end: number): Due | undefined {
    return this.#due
      .filter(({ at }) => at <= end)
      .reduce<Due | undefined>(
        (first, each) => (first === undefined || each.at < first.at ? each : first),
        undefined,
      );
  }
}
