import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rotated, warmUps } from './measure.ts';
import { timed } from './subject.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Milliseconds of whole processes, from their start to their end. */
export interface ProcessStarts {
  /** `node -e 0`: what any tool on Node costs at least. */
  readonly node: readonly number[];
  /** `vmplug ls` */
  readonly ls: readonly number[];
}

/** Fewer say little about something that takes so short and varies so much. */
const leastRuns = 30;

/** Runs `vmplug ls` and `node -e 0` with the same node in turn. */
export async function measureStarts(
  stateDir: string,
  runs: number,
  signal: AbortSignal,
): Promise<ProcessStarts> {
  const starts = { node: [] as number[], ls: [] as number[] };
  const programs = [
    { samples: starts.node, command: [nodeOfVmplug(), '-e', '0'] },
    { samples: starts.ls, command: [join(root, 'bin/vmplug'), 'ls'] },
  ] as const;
  const env = { ...process.env, VMPLUG_STATE_DIR: stateDir, NO_COLOR: '1' };
  for (let run = -warmUps; run < Math.max(runs, leastRuns); run += 1) {
    for (const { samples, command } of rotated(programs, run + warmUps)) {
      signal.throwIfAborted();
      const [program, ...args] = command;
      const time = await timed(() => runToEnd(program, args, env));
      if (run >= 0) samples.push(time);
    }
  }
  return starts;
}

/** The node that bin/vmplug chooses: the one of the checkout, else the machine's. */
function nodeOfVmplug(): string {
  const own = join(root, 'tools/node/node_modules');
  const folder = existsSync(own)
    ? readdirSync(own).find((name) => name.startsWith('node-linux-'))
    : undefined;
  return folder === undefined ? process.execPath : join(own, folder, 'bin/node');
}

function runToEnd(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.resume();
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${[program, ...args].join(' ')} exited ${code}`));
    });
  });
}
