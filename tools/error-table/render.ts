import { errorCodes, exitCodes } from '../../src/api/error-codes.ts';

/** The page of all error codes with their exit codes. */
export function errorTable(): string {
  const failures = Object.entries(exitCodes).filter(([exitCode]) => exitCode !== '0');
  const sections = failures.map(([exitCode, meaning]) => {
    const rows = Object.entries(errorCodes)
      .filter(([, entry]) => entry.exitCode === Number(exitCode))
      .map(([code, entry]) => `| \`${code}\` | ${entry.meaning} |`);
    return [`## ${exitCode}: ${meaning}`, '', '| code | meaning |', '|---|---|', ...rows, ''].join('\n');
  });
  return [
    '# Errors and exit codes',
    '',
    'Every error has a stable `code`. The command line exits with the number of its section, 0 when all went well;',
    'with `--json` the one document on stdout is `{"schemaVersion": 1, "type": "error", "error": {…}}` with `code`, `exitCode`,',
    '`message`, `action`, `subject`, `reason`, `hint`, `facts` and `cause` (the words of the VMM).',
    '`vmplug sandbox exec` exits as the command in the guest did.',
    '',
    ...sections,
  ].join('\n');
}
