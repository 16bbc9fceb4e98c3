import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CallSamples, MemoryUse } from './cases.ts';

const program = fileURLToPath(new URL('worker.ts', import.meta.url));

/** What a worker says: its memory when it has opened its manager, then the samples of each round. */
export type Reply = { readonly memory: MemoryUse } | { readonly samples: CallSamples };

/** A process with one manager, so that no other's garbage is collected at its cost. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #gone = new AbortController();
  #memory: MemoryUse | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.once('exit', (code, signal) =>
      this.#gone.abort(new Error(`a worker ended: ${signal ?? `exit ${code}`}`)),
    );
  }

  /** Starts a worker with `size` devices, or with those of the store in `directory`. */
  static async start(size: number, directory: string | undefined): Promise<WorkerProcess> {
    const args = [String(size), ...(directory === undefined ? [] : [directory])];
    const worker = new WorkerProcess(fork(program, args, { execArgv: ['--expose-gc'] }));
    const reply = await worker.#reply();
    if (!('memory' in reply)) throw new Error('a worker began with samples');
    worker.#memory = reply.memory;
    return worker;
  }

  /** Right after the devices were made. */
  get memory(): MemoryUse {
    if (this.#memory === undefined) throw new Error('the worker has not started');
    return this.#memory;
  }

  /** Makes the four calls on one further device, `cycles` times. */
  async run(cycles: number): Promise<CallSamples> {
    const reply = this.#reply();
    this.#child.send(cycles);
    const message = await reply;
    if (!('samples' in message)) throw new Error('a worker told its memory twice');
    return message.samples;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gone.signal.aborted) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    else this.#child.kill();
    await exited;
  }

  async #reply(): Promise<Reply> {
    const { signal } = this.#gone;
    try {
      const [message] = await once(this.#child, 'message', { signal });
      return message as Reply;
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }
}
