import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { Victim } from './victim.testing.ts';

const source = fileURLToPath(new URL('victim-program.testing.ts', import.meta.url));
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/**
 * Victims that are started before they are wanted, since a process needs longer to start than to be killed. Their
 * program is one file, which loads in a third of the time.
 */
export class Victims implements AsyncDisposable {
  readonly #directory: string;
  readonly #ready: Victim[] = [];

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async make(): Promise<Victims> {
    // Where the packages are found that are not made part of the file.
    const caches = join(modules, '.cache');
    mkdirSync(caches, { recursive: true });
    const victims = new Victims(mkdtempSync(join(caches, 'vmplug-victims-')));
    await using bundle = await rolldown({
      input: source,
      platform: 'node',
      external: ['koffi'],
      logLevel: 'silent',
    });
    await bundle.write({ file: victims.#program, format: 'esm', codeSplitting: false });
    return victims;
  }

  /** One that has done nothing yet. */
  next(): Victim {
    while (this.#ready.length <= availableParallelism()) this.#ready.push(this.#start());
    return this.#ready.shift() ?? this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ready.map((victim) => victim.kill()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.#directory, 'victim.js');
  }

  #start(): Victim {
    return new Victim(this.#program, join(this.#directory, 'compiled'));
  }
}
