/** Says what is being done and how long it took, a line per stage. */
export class Stages {
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void = (text) => void process.stderr.write(text)) {
    this.#say = say;
  }

  /** Runs one stage; a failing one is said too. */
  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    let words = 'failed';
    try {
      const result = await work();
      words = 'done';
      return result;
    } finally {
      this.#say(`vfio lab: ${name}: ${words}, ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
    }
  }
}
