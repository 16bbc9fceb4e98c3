import { inspect } from 'node:util';
import { quoted, VmplugError } from '../api/errors.ts';
import { shortened, visible } from '../api/visible.ts';
import { printJson } from './output.ts';

/** Says what went wrong, as a document or for people, and returns the exit code. */
export function reportError(error: unknown, json: boolean): number {
  const known = error instanceof VmplugError ? error : unexpected(error);
  if (json) printJson('error', { error: errorDocument(known) });
  else process.stderr.write(errorText(known));
  return known.exitCode;
}

/** What the command line's parser says repeats what was typed, whatever that is. */
const longestUsage = 400;

/** What is wrong with a command line, for a terminal: its lines, short and safe to show. */
export function usageText(message: string): string {
  return shortened(message, longestUsage).split('\n').map(visible).join('\n');
}

/** An error of the command line itself. */
export function usageProblem(message: string): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'read the command line',
    subject: process.argv.slice(2).join(' '),
    reason: shortened(message.replace(/^error: /, ''), longestUsage),
    hint: 'vmplug --help',
  });
}

/** The stable form of an error under `--json`. */
export function errorDocument(error: VmplugError): Record<string, unknown> {
  return {
    code: error.code,
    exitCode: error.exitCode,
    message: error.message,
    action: error.action,
    subject: error.subject,
    reason: error.reason,
    hint: error.hint ?? null,
    facts: error.facts,
    cause: causeText(error.cause),
  };
}

function errorText(error: VmplugError): string {
  const lines = [`vmplug: cannot ${error.action} ${quoted(error.subject)}: ${error.reason}`];
  if (error.hint !== undefined) lines.push(`  → ${error.hint}`);
  lines.push(`  (${error.code})`);
  // What others said is in there too: the VMM's words may have several lines, and anything in them.
  return `${lines.join('\n').split('\n').map(visible).join('\n')}\n`;
}

function causeText(cause: unknown): string | null {
  if (cause === undefined) return null;
  if (cause instanceof Error) return cause.message;
  if (typeof cause === 'object' && cause !== null && 'desc' in cause) return String(cause.desc);
  return typeof cause === 'string' ? cause : inspect(cause);
}

function unexpected(error: unknown): VmplugError {
  return new VmplugError('internal-error', {
    action: 'finish',
    subject: process.argv.slice(2).join(' '),
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    hint: 'this is a fault in vmplug; what it was doing is in its journal, and vmplug doctor settles it',
    cause: error,
  });
}
