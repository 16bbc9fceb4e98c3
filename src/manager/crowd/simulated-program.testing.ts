import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../hypervisors/simulated/main.ts', import.meta.url));

/** A VM as the program describes it. */
export interface ListedVm {
  readonly vm: string;
  readonly devices: readonly { readonly id: string; readonly evidence: string; readonly leaving: boolean }[];
  readonly backEnds: readonly string[];
  readonly messages: number;
}

/** The simulated QEMU as a process of its own, with its control socket. It ends with its handle. */
export interface SimulatedProgram extends AsyncDisposable {
  /** Asks for something; returns the answer. */
  tell(request: object): Promise<{ readonly vms?: readonly ListedVm[]; readonly error?: string }>;
  /** What it said without being asked: that a conversation is held. */
  readonly heard: readonly string[];
}

/** Starts it; all its sockets are there when this resolves. */
export async function startSimulatedProgram(
  control: string,
  args: readonly string[],
): Promise<SimulatedProgram> {
  await using started = new AsyncDisposableStack();
  const child = spawn(process.execPath, [program, ...args, '--control', control], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  started.defer(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await Promise.race([once(child.stdout, 'data'), closed]);
  if (child.exitCode !== null) throw new Error(`the simulated QEMU ended with ${child.exitCode}`);
  const socket = createConnection(control);
  started.defer(() => void socket.destroy());
  const heard: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  createInterface({ input: socket }).on('line', (line) => {
    if (line.startsWith('{"held"')) heard.push(line);
    else waiting.shift()?.(line);
  });
  const held = started.move();
  return {
    heard,
    tell: async (request) => {
      const { promise, resolve } = Promise.withResolvers<string>();
      waiting.push(resolve);
      socket.write(`${JSON.stringify(request)}\n`);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return JSON.parse(await promise) as { vms?: readonly ListedVm[]; error?: string };
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
