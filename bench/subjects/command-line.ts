import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../../lab/harness.ts';
import { guestPauseMs, timed, type Subject, type Times } from '../subject.ts';

/** vmplug's command line: every operation is a process that starts, connects, works and ends. */
export class CommandLine implements Subject {
  readonly name = 'cli';
  readonly #lab: Lab;
  readonly #sandbox: string;
  readonly #image: string;

  constructor(lab: Lab, sandbox: string, image: string) {
    this.#lab = lab;
    this.#sandbox = sandbox;
    this.#image = image;
  }

  async run(): Promise<Times> {
    const { attach: acknowledged } = await this.#cycle('acknowledged');
    const { attach: live, detach } = await this.#cycle('live');
    return { 'attach-acknowledged': acknowledged, 'attach-live': live, detach };
  }

  async #cycle(wait: string): Promise<{ attach: number; detach: number }> {
    const attach = await timed(() => this.#lab.ok('attach', this.#sandbox, this.#image, '--wait', wait));
    await sleep(guestPauseMs);
    const detach = await timed(() => this.#lab.ok('detach', this.#sandbox, this.#image));
    return { attach, detach };
  }
}
