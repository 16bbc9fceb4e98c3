import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Victim } from './victim.testing.ts';

/** Victims that are started before they are wanted, since a process needs longer to start than to be killed. */
export class Victims implements AsyncDisposable {
  readonly #cache = mkdtempSync(join(tmpdir(), 'vmplug-victims-'));
  readonly #ready: Victim[] = [];

  /** One that has done nothing yet. */
  next(): Victim {
    while (this.#ready.length <= availableParallelism()) this.#ready.push(new Victim(this.#cache));
    return this.#ready.shift() ?? new Victim(this.#cache);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ready.map((victim) => victim.kill()));
    rmSync(this.#cache, { recursive: true, force: true });
  }
}
