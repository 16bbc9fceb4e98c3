import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { saidSchema, type Answer, type Job } from './victim-words.testing.ts';

/** Whoever a victim speaks to. */
export interface Killer {
  /** The victim is at a point; `true` kills it there. */
  reach(point: string): boolean;
  /** Writes to sysfs for it. Throws what the kernel answers. */
  writeSysfs(path: string, text: string): Promise<void>;
}

/** A process of its own which carries out one command of vmplug, unless it is killed. */
export class Victim implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #channel: Duplex;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;

  /**
   * Starts it; it has loaded everything and waits when it is wanted.
   * @param program `victim-program.testing.ts`
   * @param cache where Node keeps compiled code
   */
  constructor(program: string, cache: string) {
    this.#child = spawn(process.execPath, [program], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
    });
    this.#closed = once(this.#child, 'close');
    const channel = this.#child.stdio[3];
    if (!(channel instanceof Duplex)) throw new TypeError('a pipe to a child is a duplex stream');
    channel.on('error', () => channel.destroy());
    this.#channel = channel;
    this.#lines = createInterface({ input: channel })[Symbol.asyncIterator]();
  }

  /** Kills it, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  /** Lets it carry out its command; returns how that ended, or `killed`. */
  async carryOut(job: Job, killer: Killer): Promise<string> {
    for (;;) {
      // A process that is killed leaves what it has not read, and that resets the connection.
      const line = await this.#lines.next().catch(() => undefined);
      if (line === undefined || line.done === true) {
        await this.#closed;
        return 'killed';
      }
      const said = saidSchema.parse(JSON.parse(line.value));
      if ('ready' in said) this.#answer(job);
      else if ('ended' in said) {
        this.#answer({});
        await this.#closed;
        return said.ended;
      } else if ('at' in said) await this.#pass(said.at, killer);
      else await this.#write(said, killer);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #pass(point: string, killer: Killer): Promise<void> {
    if (killer.reach(point)) await this.kill();
    else this.#answer({});
  }

  async #write({ write, text }: { write: string; text: string }, killer: Killer): Promise<void> {
    if (killer.reach('sysfs write before')) return this.kill();
    const answer = await killer.writeSysfs(write, text).then(() => ({}), refusalOf);
    if (killer.reach('sysfs write after')) return this.kill();
    this.#answer(answer);
  }

  #answer(words: Job | Answer): void {
    if (this.#channel.writable) this.#channel.write(`${JSON.stringify(words)}\n`);
  }
}

function refusalOf(error: unknown): Answer {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return { code, message };
}
