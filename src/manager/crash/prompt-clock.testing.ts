import type { Clock } from '../../hypervisors/simulated/index.ts';

/**
 * The time of a guest that does everything at once, after what the VMM is doing: each run has its messages in the
 * same order. It can be told to wait, as one that is busy.
 */
export class PromptClock implements Clock {
  #due: (() => void)[] = [];
  #waits = false;

  get now(): number {
    return performance.now();
  }

  /** Whether the guest has something to do. */
  get isPending(): boolean {
    return this.#due.length > 0;
  }

  after(_: number, work: () => void): () => void {
    this.#due.push(work);
    setImmediate(() => this.#run());
    return () => {
      this.#due = this.#due.filter((each) => each !== work);
    };
  }

  /** The guest does nothing until {@link goOn}. */
  wait(): void {
    this.#waits = true;
  }

  goOn(): void {
    this.#waits = false;
    this.#run();
  }

  #run(): void {
    while (!this.#waits) {
      const work = this.#due.shift();
      if (work === undefined) return;
      work();
    }
  }
}
