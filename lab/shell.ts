import { createInterface } from 'node:readline';
import { execInGuest } from './guest/index.ts';

/** The longest that one command may take, in milliseconds. */
const commandMs = 3_600_000;

/**
 * Runs lines from stdin in a guest, one after the other, as a shell does: the working directory stays, variables do
 * not. Ctrl-C ends the command that runs, or at the prompt the shell.
 *
 * @param exec the socket behind the guest's port for commands
 * @returns the exit code of the last command
 */
export async function shell(exec: string): Promise<number> {
  const isTerminal = process.stdin.isTTY;
  const lines = createInterface({
    input: process.stdin,
    prompt: 'guest# ',
    ...(isTerminal ? { output: process.stderr } : {}),
  });
  let running: AbortController | undefined;
  lines.on('SIGINT', () => {
    if (running === undefined) lines.close();
    else running.abort();
  });
  let code = 0;
  if (isTerminal) lines.prompt();
  for await (const line of lines) {
    if (line === 'exit') break;
    if (line.trim() !== '') {
      running = new AbortController();
      code = await command(exec, line, running.signal);
      running = undefined;
    }
    if (isTerminal) lines.prompt();
  }
  lines.close();
  return code;
}

async function command(exec: string, line: string, signal: AbortSignal): Promise<number> {
  try {
    const result = await execInGuest(exec, inSameDirectory(line), { timeoutMs: commandMs, signal });
    process.stdout.write(result.stdout);
    process.stderr.write(result.stderr);
    return result.exitCode;
  } catch (error) {
    if (!signal.aborted) throw error;
    return 130;
  }
}

/** Every command is a process of its own in the guest: where the last one went is kept in a file. */
function inSameDirectory(line: string): string {
  const kept = '/run/vmplug/shell-directory';
  return `cd "$(cat ${kept} 2>/dev/null || echo /)"\ntrap 'pwd > ${kept}' EXIT\n${line}`;
}
