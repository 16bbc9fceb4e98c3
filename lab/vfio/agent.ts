import { writeFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import type { AttachmentRecord } from '../../src/api/attachment.ts';
import type { JsonObject } from '../../src/api/json.ts';
import type { SandboxRecord } from '../../src/api/sandbox.ts';
import type { Finding } from '../../src/manager/doctor/finding.ts';
import type { AttachOptions, DeviceView } from '../../src/manager/vmplug.ts';
import type { Detached } from '../../src/operations/detached.ts';
import { replySchema, type Call, type Reply } from './inside/calls.ts';

const source = fileURLToPath(new URL('inside/agent.ts', import.meta.url));

let bundle: Promise<string> | undefined;

/** The agent with all of vmplug in one file: found and compiled much faster in the outer guest than a hundred. */
async function bundled(): Promise<string> {
  await using build = await rolldown({
    input: source,
    platform: 'node',
    logLevel: 'warn',
    external: ['koffi'],
  });
  const { output } = await build.generate({ format: 'esm' });
  return output[0].code;
}

/** An error of vmplug in the outer guest. */
class InsideError extends Error {
  readonly code: string;
  readonly subject: string;
  readonly reason: string;
  readonly hint: string | null;
  readonly facts: Readonly<Record<string, unknown>>;
  /** What the VMM or the system said. */
  readonly words: string | null;

  constructor({
    message,
    code,
    subject,
    reason,
    hint,
    facts,
    cause,
  }: Extract<Reply, { kind: 'threw' }>['error']) {
    super(message);
    this.code = code;
    this.subject = subject;
    this.reason = reason;
    this.hint = hint;
    this.facts = facts;
    this.words = cause;
  }
}

/** vmplug as a library in the outer guest. Every method is the one of `Vmplug` there, and throws {@link InsideError}. */
export class Agent implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #last = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Starts it. `work` is the folder that is `/given` in the outer guest, `start` runs a script there.
   */
  static async start(
    socketPath: string,
    work: string,
    start: (script: string) => Promise<string>,
  ): Promise<Agent> {
    bundle ??= bundled();
    await writeFile(join(work, 'agent.mjs'), await bundle);
    const socket = createConnection(socketPath);
    const agent = new Agent(socket);
    const ready = new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      createInterface({ input: socket }).on('line', (line) => {
        const reply = replySchema.safeParse(JSON.parse(line)).data;
        if (reply?.kind === 'ready') resolve();
        else if (reply !== undefined) agent.#waiting.get(reply.id)?.(reply);
        else socket.destroy(new Error(`the agent said ${line}`));
      });
    });
    await start('setsid node /given/agent.mjs /dev/hvc0 </dev/null >/run/agent.log 2>&1 &');
    await ready;
    return agent;
  }

  /** Asks for a thing without waiting for it: what it came to is in the promise. */
  async #call<T>(call: Call): Promise<T> {
    const id = ++this.#last;
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.write(`${JSON.stringify({ id, call })}\n`);
    });
    this.#waiting.delete(id);
    if (reply.kind === 'threw') throw new InsideError(reply.error);
    return (reply.kind === 'returned' ? reply.value : undefined) as T;
  }

  adopt(name: string, qmp: string): Promise<SandboxRecord> {
    return this.#call({ do: 'adopt', name, qmp });
  }

  attach(sandbox: string, from: string, options: AttachOptions = {}): Promise<AttachmentRecord> {
    return this.#call({ do: 'attach', sandbox, source: from, options: { timeoutMs: 120_000, ...options } });
  }

  detach(sandbox: string, device: string, timeoutMs = 120_000): Promise<Detached> {
    return this.#call({ do: 'detach', sandbox, device, timeoutMs });
  }

  forget(name: string): Promise<void> {
    return this.#call({ do: 'forget', name });
  }

  inspect(device: string): Promise<DeviceView> {
    return this.#call({ do: 'inspect', device });
  }

  list(): Promise<AttachmentRecord[]> {
    return this.#call({ do: 'list' });
  }

  doctor(repair = false): Promise<Finding[]> {
    return this.#call({ do: 'doctor', repair });
  }

  /** Sends one QMP command to a VMM in the outer guest, past vmplug. */
  tell(qmp: string, execute: string, args: JsonObject = {}): Promise<unknown> {
    return this.#call({ do: 'tell', qmp, execute, args });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
