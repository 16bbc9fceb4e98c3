import { styleText } from 'node:util';

interface Check {
  readonly what: string;
  readonly seen: boolean;
  readonly detail: string;
}

/** Tells what happens, keeps the facts, and says in the end whether everything was seen. */
export class Narrator {
  readonly #json: boolean;
  readonly #started = performance.now();
  readonly #stages: Record<string, number> = {};
  readonly #checks: Check[] = [];
  readonly #facts: Record<string, unknown> = {};
  #failure: string | undefined;

  constructor(json: boolean) {
    this.#json = json;
  }

  /** A line for people: on stdout, or on stderr when stdout is for the document. */
  say(text: string): void {
    const out = this.#json ? process.stderr : process.stdout;
    out.write(`${text}\n`);
  }

  /** Says what is being done, on stderr. */
  progress(text: string): void {
    process.stderr.write(`${styleText('dim', `  … ${text.trimEnd()}`, { stream: process.stderr })}\n`);
  }

  /** Runs one stage and keeps how long it took. */
  async stage<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.progress(name);
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#stages[name] = Math.round(performance.now() - started);
    }
  }

  /** Keeps something that was to be seen, and whether it was. */
  check(what: string, seen: boolean, detail: string): void {
    this.#checks.push({ what, seen, detail });
    const mark = seen ? styleText('green', '✓') : styleText('red', '✗');
    this.say(`  ${mark} ${what}${detail === '' ? '' : `: ${detail}`}`);
  }

  /** Keeps a fact for the document. */
  fact(name: string, value: unknown): void {
    this.#facts[name] = value;
  }

  failed(message: string): void {
    this.#failure = message;
    process.stderr.write(`${styleText('red', message, { stream: process.stderr })}\n`);
  }

  /** Prints the end and returns the exit code. */
  end(): number {
    const missed = this.#checks.filter(({ seen }) => !seen);
    const ok = this.#failure === undefined && this.#checks.length > 0 && missed.length === 0;
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1);
    this.say('');
    this.say(
      `stages: ${Object.entries(this.#stages)
        .map(([name, ms]) => `${name} ${ms} ms`)
        .join(', ')}`,
    );
    this.say(
      ok
        ? `everything was seen, in ${seconds} s`
        : `NOT everything was seen (${missed.length} missed), in ${seconds} s`,
    );
    if (this.#json) {
      const document = {
        schemaVersion: 1,
        type: 'quickstart',
        ok,
        failure: this.#failure ?? null,
        stages: this.#stages,
        checks: this.#checks,
        ...this.#facts,
      };
      process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    }
    return ok ? 0 : 1;
  }
}
