import type { Command } from 'commander';
import { addSandboxAdopt } from './sandbox-adopt.ts';
import { addSandboxExec } from './sandbox-exec.ts';
import { addSandboxForget } from './sandbox-forget.ts';
import { addSandboxInspect } from './sandbox-inspect.ts';
import { addSandboxLs } from './sandbox-ls.ts';
import { addSandboxRun } from './sandbox-run.ts';
import { addSandboxStop } from './sandbox-stop.ts';

/** `vmplug sandbox` */
export function addSandbox(program: Command): void {
  const sandbox = program.command('sandbox').description('start, adopt, list and stop VMs');
  addSandboxRun(sandbox);
  addSandboxAdopt(sandbox);
  addSandboxLs(sandbox);
  addSandboxInspect(sandbox);
  addSandboxExec(sandbox);
  addSandboxStop(sandbox);
  addSandboxForget(sandbox);
}
