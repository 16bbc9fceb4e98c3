import { setTimeout as sleep } from 'node:timers/promises';
import type { Evidence } from '../../src/api/evidence.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { guestPauseMs, timed, type Subject, type Times } from '../subject.ts';

/** Longer than the other subjects' turns: a busy platform's connection is always a warm one. */
const lingerMs = 60_000;

/** vmplug inside a long-lived process, every operation journalled on disk. */
export class Library implements Subject, AsyncDisposable {
  readonly name = 'library';
  readonly #vmplug: Vmplug;
  readonly #sandbox: string;
  readonly #image: string;

  constructor(stateDir: string, sandbox: string, image: string) {
    this.#vmplug = Vmplug.open({ stateDir, lingerMs });
    this.#sandbox = sandbox;
    this.#image = image;
  }

  async run(): Promise<Times> {
    const { attach: acknowledged } = await this.#cycle('acknowledged');
    const { attach: live, detach } = await this.#cycle('live');
    return { 'attach-acknowledged': acknowledged, 'attach-live': live, detach };
  }

  async #cycle(wait: Evidence): Promise<{ attach: number; detach: number }> {
    const attach = await timed(() => this.#vmplug.attach(this.#sandbox, this.#image, { wait }));
    await sleep(guestPauseMs);
    const detach = await timed(() => this.#vmplug.detach(this.#sandbox, this.#image));
    return { attach, detach };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vmplug[Symbol.asyncDispose]();
  }
}
