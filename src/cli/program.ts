import { Command, CommanderError } from 'commander';
import { exitCodes } from '../api/error-codes.ts';
import { reportError, usageText } from './errors.ts';
import { version } from './version.ts';

const usageError = 2;

/** Each verb is defined in a file of its own. */
const verbs: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  sandbox: async () => (await import('./sandbox.ts')).addSandbox,
  attach: async () => (await import('./attach.ts')).addAttach,
  detach: async () => (await import('./detach.ts')).addDetach,
  ls: async () => (await import('./ls.ts')).addLs,
  inspect: async () => (await import('./inspect.ts')).addInspect,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  state: async () => (await import('./state.ts')).addState,
};

/** The command line with the verb that is called; with all of them where none is, for help and suggestions. */
async function buildProgram(verb: string | undefined): Promise<Command> {
  const program = new Command('vmplug')
    .description(
      'Plugs host devices into VM sandboxes, proves that the guest has them, and never loses track of one.',
    )
    .version(version)
    .showSuggestionAfterError()
    .exitOverride()
    .addHelpText('after', helpEnd);
  const called = verb === undefined ? undefined : verbs[verb];
  const wanted = called === undefined ? Object.values(verbs) : [called];
  for (const add of await Promise.all(wanted.map((load) => load()))) add(program);
  return program;
}

/** Runs one command line and returns its exit code. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const json = asksForJson(args);
  try {
    process.exitCode = 0;
    await inherited(await buildProgram(args[0]), json).parseAsync(args, { from: 'user' });
    return process.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return usage(error, json);
    return reportError(error, json);
  }
}

/** Subcommands fail and print like the program itself. */
function inherited(command: Command, json: boolean): Command {
  command.exitOverride();
  command.configureOutput({
    outputError: (message, write) => {
      if (!json) write(usageText(message));
    },
  });
  for (const child of command.commands) inherited(child, json);
  return command;
}

async function usage(error: CommanderError, json: boolean): Promise<number> {
  if (error.exitCode === 0) return 0;
  if (json && error.code !== 'commander.help') {
    const { usageProblem } = await import('./errors.ts');
    reportError(usageProblem(error.message), json);
  }
  return usageError;
}

/** Whether `--json` is among the options, and not behind `--`. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes('--json');
}

const helpEnd = `
Exit codes:
${Object.entries(exitCodes)
  .map(([code, meaning]) => `  ${code}  ${meaning}`)
  .join('\n')}

Examples:
  vmplug sandbox run vm1
  vmplug attach vm1 ./disk.img
  vmplug ls
  vmplug detach vm1 ./disk.img
  vmplug sandbox stop vm1`;
