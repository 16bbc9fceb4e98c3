import { InvalidArgumentError, Option, type Command } from 'commander';

/** Options that every verb takes. */
export interface CommonOptions {
  readonly json?: true;
  readonly stateDir?: string;
}

export interface TimedOptions extends CommonOptions {
  readonly timeout: number;
}

/** Adds `--json` and `--state-dir`. */
export function common(command: Command): Command {
  return command
    .option('--json', 'print one JSON document')
    .addOption(
      new Option(
        '--state-dir <directory>',
        'where the state is kept (default: by XDG; /var/lib/vmplug for root)',
      ).env('VMPLUG_STATE_DIR'),
    );
}

/** Adds `--timeout`. */
export function timed(command: Command, preset: string, what: string): Command {
  return command.addOption(
    new Option('--timeout <duration>', what).argParser(duration).default(duration(preset), preset),
  );
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const longestMs = 24 * 3_600_000;

/**
 * Reads `10s`, `500ms`, `1.5m` as milliseconds.
 * @throws InvalidArgumentError
 */
function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  const milliseconds = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? ''] ?? Number.NaN);
  if (!(milliseconds > 0 && milliseconds <= longestMs)) {
    throw new InvalidArgumentError('A duration is written 500ms, 10s, 2m or 1h, up to 24h.');
  }
  return milliseconds;
}

/**
 * Reads a whole number.
 * @throws InvalidArgumentError
 */
export function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number is needed.');
  return Number(text);
}

/** An abort signal that ctrl-C sets off; the second ctrl-C ends the process as usual. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Error('interrupted')));
  process.once('SIGTERM', () => controller.abort(new Error('terminated')));
  return controller.signal;
}
