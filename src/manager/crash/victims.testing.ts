import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { Victim } from './victim.testing.ts';

const source = fileURLToPath(new URL('victim-program.testing.ts', import.meta.url));

/** A package of compiled code is no part of the one file, and is found where it is. */
const koffi = {
  name: 'koffi-where-it-is',
  resolveId: (id: string) => (id === 'koffi' ? { id: pathOf(id), external: true } : undefined),
};

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
    const victims = new Victims(mkdtempSync(join(tmpdir(), 'vmplug-victims-')));
    await using bundle = await rolldown({
      input: source,
      platform: 'node',
      plugins: [koffi],
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
    return join(this.#directory, 'victim.mjs');
  }

  #start(): Victim {
    return new Victim(this.#program, join(this.#directory, 'compiled'));
  }
}

function pathOf(name: string): string {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    // It is optional.
    return name;
  }
}
