import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { V1Exported } from '../manager/v1/export.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson } from './output.ts';

interface ExportFlags extends TimedOptions {
  readonly dir?: string;
}

/** `vmplug state export` */
export function addStateExport(state: Command): void {
  const command = state
    .command('export')
    .description('print the persist.json that v1 would have written of a sandbox, as it is now')
    .argument('[sandbox]', 'may be left out where there is one only')
    .option('--dir <directory>', "write v1's layout below this directory instead: of the sandbox, or of all")
    .addHelpText('after', examples);
  timed(command, '10s', 'how long to wait for a runtime that has the sandbox locked');
  common(command).action(async (sandbox: string | undefined, flags: ExportFlags) => {
    const stateDir = stateDirectory(flags.stateDir);
    if (flags.dir === undefined) await printState(stateDir, sandbox, flags);
    else await writeStates(stateDir, flags.dir, sandbox, flags);
  });
}

/** With `--json` byte for byte what v1 would have in its file; else the same, for people. */
async function printState(stateDir: string, name: string | undefined, flags: ExportFlags): Promise<void> {
  const { exportV1State } = await import('../manager/v1/export.ts');
  const { printSandboxState } = await import('../store/v1/print.ts');
  const { sandbox } = exportV1State(stateDir, name);
  process.stdout.write(printSandboxState(sandbox, flags.json === true ? undefined : 2));
}

async function writeStates(
  stateDir: string,
  directory: string,
  name: string | undefined,
  flags: ExportFlags,
): Promise<void> {
  const { writeV1States } = await import('../manager/v1/export.ts');
  const root = directory === '' ? '' : resolve(directory);
  const written = await writeV1States(stateDir, root, {
    ...(name === undefined ? {} : { name }),
    timeoutMs: flags.timeout,
    signal: interruptible(),
  });
  const documents = written.map((exported) => writtenDocument(exported, root));
  if (flags.json === true) printJson('export', { sandboxes: documents });
  else for (const { name: sandbox, path } of documents) print(`${sandbox}  ${printable(path)}`);
}

interface Written {
  readonly name: string;
  readonly path: string;
  readonly containers: readonly string[];
  readonly devices: number;
}

function writtenDocument({ name, sandbox, containers }: V1Exported, root: string): Written {
  return {
    name,
    path: resolve(root, 'sbs', sandbox.SandboxContainer, 'persist.json'),
    containers: Object.keys(containers),
    devices: sandbox.Devices?.length ?? 0,
  };
}

const examples = `
Examples:
  vmplug state export vm1 --json > persist.json
  vmplug state export --dir /run/vc`;
