import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../src/api/error-codes.ts';
import { changesNothing, refused } from './errors.testing.ts';
import { Lab } from './harness.ts';

let lab: Lab;

beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab[Symbol.asyncDispose]());

describe('a command line that is wrong', () => {
  test.each([
    ['an unknown verb', ['atach', 'vm1', 'disk.img'], 'atach'],
    ['an unknown verb of sandbox', ['sandbox', 'strat', 'vm1'], 'strat'],
    ['an unknown option', ['ls', '--colour'], '--colour'],
    ['an unknown short option', ['ls', '-x'], '-x'],
    ['no arguments at all', ['attach'], 'sandbox'],
    ['a missing source', ['attach', 'vm1'], 'source'],
    ['a missing device', ['detach', 'vm1'], 'device'],
    ['a missing name', ['sandbox', 'inspect'], 'name'],
    ['one argument too many', ['detach', 'vm1', 'a', 'b'], 'too many arguments'],
    ['an option without its value', ['attach', 'vm1', 'a.img', '--timeout'], '--timeout'],
    ['a duration without a unit', ['attach', 'vm1', 'a.img', '--timeout', '10'], '10'],
    ['a duration of nothing', ['attach', 'vm1', 'a.img', '--timeout', '0s'], '0s'],
    ['a negative duration', ['detach', 'vm1', 'a', '--timeout=-5s'], '-5s'],
    ['a duration beyond a day', ['detach', 'vm1', 'a', '--timeout', '25h'], '25h'],
    ['a duration in words', ['doctor', '--timeout', 'soon'], 'soon'],
    ['an unknown driver', ['attach', 'vm1', 'a.img', '--driver', 'floppy'], 'floppy'],
    ['an unknown evidence', ['attach', 'vm1', 'a.img', '--wait', 'maybe'], 'maybe'],
    ['an unknown format', ['attach', 'vm1', 'a.img', '--format', 'vmdk'], 'vmdk'],
    ['an unknown machine', ['sandbox', 'run', 'vm1', '--machine', 'toaster'], 'toaster'],
    ['a number of ports in words', ['sandbox', 'run', 'vm1', '--ports', 'many'], 'many'],
    ['too many ports', ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--ports', '225'], '225'],
    ['ports on pc', ['sandbox', 'run', 'vm1', '--machine', 'pc', '--ports', '2'], '--ports'],
    ['memory without a unit', ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--memory', '256'], '256'],
    ['memory in words', ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--memory', 'a lot'], 'a lot'],
    [
      'memory with an option in it',
      ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--memory', '1G,slots=4'],
      'slots=4',
    ],
    ['an initrd without a kernel', ['sandbox', 'run', 'vm1', '--initrd', 'i'], '--initrd'],
    ['no socket to adopt by', ['sandbox', 'adopt', 'vm1'], '--qmp'],
    ['two sockets to adopt by', ['sandbox', 'adopt', 'vm1', '--qmp', 'a', '--firecracker', 'b'], '--qmp'],
  ])('%s is refused, as one document and in words', async (_, args, named) => {
    const error = await refused(lab, 'invalid-argument', ...args);
    expect(`${error.message} ${error.hint}`).toContain(named);
    expect(error.hint).not.toBeNull();

    const words = await lab.vmplug(...args);
    expect(words).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(named) });
  });

  test('leaves nothing behind', async () => {
    await changesNothing(lab, [], async () => {
      await refused(lab, 'invalid-argument', 'sandbox', 'run', 'vm1', '--accel', 'tcg', '--memory', '256');
    });
    expect(await lab.ok('sandbox', 'ls')).toMatchObject({ sandboxes: [] });
    expect(existsSync(join(lab.stateDir, 'sandboxes', 'vm1'))).toBe(false);
  });

  test('the misspelt verb is answered with the one that was meant', async () => {
    expect((await lab.vmplug('atach')).stderr).toContain('attach');
    expect((await refused(lab, 'invalid-argument', 'atach')).message).toContain('attach');
  });

  test('no command at all shows the help and is wrong', async () => {
    for (const args of [[], ['sandbox']]) {
      expect(await lab.vmplug(...args)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('Usage: vmplug'),
      });
      await refused(lab, 'invalid-argument', ...args);
    }
  });
});

test.each([
  [['--help'], 'Exit codes:'],
  [['help'], 'Exit codes:'],
  [['attach', '--help'], '--read-only'],
  [['sandbox', 'run', '-h'], '--ports'],
  [['--version'], /^\d+\.\d+\.\d+\n$/],
])('%j is answered on stdout and succeeds', async (args, said) => {
  const result = await lab.vmplug(...args);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toMatch(said);
});

/** What could upset a terminal; line ends are fine. */
const unprintable = /[\p{Cc}\p{Cf}](?<!\n)/u;

const strange: [string, string][] = [
  ['commas', 'a,b,c'],
  ['spaces', 'a b'],
  ['newlines', 'a\nb'],
  ['an escape sequence', '\u001b[31mred'],
  ['unicode', 'büchse-盘'],
  ['a right-to-left mark', 'a\u202eb'],
  ['10,000 characters', 'x'.repeat(10_000)],
  ['nothing', ''],
  ['a path that leads out', '../../etc'],
  ['a leading dash', '-rf'],
  ['two dashes', '--'],
  ['a percent sign', '%s%n'],
];

describe.each(strange)('%s', (_, text) => {
  /** Behind `--`, so that a leading dash is not an option. */
  const verbs: [code: ErrorCode, ...args: string[]][] = [
    ['invalid-argument', 'sandbox', 'run', '--accel', 'tcg', '--', text],
    ['invalid-argument', 'sandbox', 'adopt', '--qmp', '/nonexistent', '--', text],
    ['sandbox-not-found', 'sandbox', 'stop', '--', text],
    ['sandbox-not-found', 'attach', '--', text, 'a.img'],
    ['device-not-found', 'inspect', '--', text],
  ];

  test('is no name of a sandbox or device; nothing crashes and the words stay short', async () => {
    for (const [code, ...args] of verbs) {
      expect((await refused(lab, code, ...args)).message.length).toBeLessThan(500);
    }
    const words = await lab.vmplug('ls', '--', text);
    expect(words).toMatchObject({ code: 3, stdout: '' });
    expect(words.stderr.length).toBeLessThan(500);
    expect(words.stderr).not.toMatch(unprintable);
  });

  test('is no verb and no option either', async () => {
    for (const args of [[text], ['attach', 'vm1', 'a.img', `--driver=${text}`]]) {
      if (args[0] === '' || args[0] === '--') continue;
      const words = await lab.vmplug(...args);
      expect(words).toMatchObject({ code: 2, stdout: '' });
      expect(words.stderr.length).toBeLessThan(800);
      expect(words.stderr).not.toMatch(unprintable);
    }
  });
});

test('a value that is refused is not repeated at length', async () => {
  const long = 'y'.repeat(10_000);
  for (const args of [
    ['attach', 'vm1', 'a.img', '--timeout', long],
    ['attach', 'vm1', 'a.img', `--${long}`],
    ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--memory', long],
  ]) {
    await refused(lab, 'invalid-argument', ...args);
    expect((await lab.vmplug(...args)).stderr.length).toBeLessThan(1000);
  }
});

test('a sandbox that is not known is named, with what to do', async () => {
  for (const args of [
    ['attach', 'nobody', 'a.img'],
    ['detach', 'nobody', 'a'],
    ['ls', 'nobody'],
    ['sandbox', 'inspect', 'nobody'],
    ['sandbox', 'stop', 'nobody'],
    ['sandbox', 'forget', 'nobody'],
    ['sandbox', 'exec', 'nobody', '--', 'true'],
  ]) {
    const error = await refused(lab, 'sandbox-not-found', ...args);
    expect(error.message).toContain('"nobody"');
    expect(error.hint).toContain('vmplug sandbox ls');
  }
});
