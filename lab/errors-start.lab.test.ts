import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive, processIdentity } from '../src/host/process-identity.ts';
import { changesNothing, refusalOf, refused } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

describe('starting a VM', () => {
  let lab: Lab;
  beforeAll(() => {
    lab = new Lab();
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  const directories = (name: string): boolean => existsSync(join(lab.stateDir, 'sandboxes', name));

  test('twice by one name, one after the other and at once', async () => {
    await using lab = new Lab();
    const race = [1, 2].map(() =>
      lab.start('sandbox', 'run', 'vm1', '--accel', 'tcg', '--ports', '1', '--json'),
    );
    const results = await Promise.all(race.map(({ ended }) => ended));
    expect(
      results.map(({ code }) => code).toSorted((a, b) => a - b),
      results.map(({ stdout }) => stdout).join('\n'),
    ).toEqual([0, 4]);
    for (const result of results.filter(({ code }) => code === 4)) refusalOf(result, 'sandbox-exists');
    const error = await refused(lab, 'sandbox-exists', 'sandbox', 'run', 'vm1', '--accel', 'tcg');
    expect(error.message).toContain('"vm1"');
    expect(error.hint).toContain('vm1');
    expect((await lab.guest('vm1', 'echo here')).stdout.toString('utf8')).toBe('here\n');
  });

  test('without QEMU: the package is named', async () => {
    const error = await refused(
      lab,
      'missing-package',
      'sandbox',
      'run',
      'vm2',
      '--accel',
      'tcg',
      '--qemu',
      '/nonexistent/qemu',
    );
    expect(error).toMatchObject({
      message: expect.stringContaining('/nonexistent/qemu'),
      hint: expect.stringContaining('apt'),
    });
    expect(directories('vm2')).toBe(false);
  });

  test.each([
    ['a program that is none', ['--qemu', '/etc/passwd'], 'EACCES'],
    ['a program that is not QEMU', ['--qemu', '/bin/false'], 'ended'],
    ['a kernel that is not there', ['--kernel', '/nonexistent/vmlinuz'], '/nonexistent/vmlinuz'],
    ['a kernel that is none', ['--kernel', '/bin/sh'], 'kernel'],
    ['more memory than there is', ['--memory', '99999999G'], 'memory'],
  ])('%s: QEMU’s words, and nothing is left behind', async (_, flags, words) => {
    const error = await refused(lab, 'start-failed', 'sandbox', 'run', 'vm3', '--accel', 'tcg', ...flags);
    expect(error.message).toContain('vm3');
    expect(error.reason).toContain(words);
    expect(error.hint).not.toBeNull();
    expect(directories('vm3')).toBe(false);
    expect(await lab.ok('sandbox', 'ls')).toMatchObject({ sandboxes: [] });
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });

  test('a guest that does not come up in time: the VM is ended again', async () => {
    const error = await refused(
      lab,
      'deadline-passed',
      ...['sandbox', 'run', 'vm4', '--accel', 'tcg', '--timeout', '1s'],
    );
    expect(error).toMatchObject({
      message: expect.stringContaining('"vm4"'),
      reason: expect.stringContaining('console'),
      hint: expect.stringContaining('--timeout'),
    });
    expect(directories('vm4')).toBe(false);
    expect(await lab.ok('sandbox', 'ls')).toMatchObject({ sandboxes: [] });
  });

  test('SIGINT while the guest boots ends the VM again', async () => {
    const run = lab.start(
      'sandbox',
      'run',
      'vm5',
      '--accel',
      'tcg',
      '--append',
      'vmplug.boot_delay=30',
      '--json',
    );
    try {
      await expect.poll(() => lab.sandbox('vm5').pid, { timeout: 20_000 }).toBeGreaterThan(0);
      const identity = processIdentity(lab.sandbox('vm5').pid);
      run.kill('SIGINT');
      refusalOf(await run.ended, 'aborted');
      expect(identity !== undefined && isAlive(identity)).toBe(false);
      expect(directories('vm5')).toBe(false);
    } finally {
      run.kill();
      await run.ended;
    }
  });
});

test('stopping a VM that was adopted is refused: it is not ours', async () => {
  await using lab = new Lab();
  await using vm = await startForeignQemu(lab.directory, ['-S'], { waits: false });
  await lab.ok('sandbox', 'adopt', 'theirs', '--qmp', vm.qmp);
  const error = await changesNothing(lab, ['theirs'], () =>
    refused(lab, 'sandbox-in-use', 'sandbox', 'stop', 'theirs'),
  );
  expect(error).toMatchObject({
    message: expect.stringContaining('theirs'),
    hint: expect.stringContaining('forget'),
  });
  const exec = await refused(lab, 'unsupported', 'sandbox', 'exec', 'theirs', '--', 'true');
  expect(exec.message).toContain('theirs');
});

test('forgetting a VM that was started here and runs is refused', async () => {
  await using lab = new Lab();
  await lab.run('ours', '--ports', '1');
  const error = await changesNothing(lab, ['ours'], () =>
    refused(lab, 'sandbox-in-use', 'sandbox', 'forget', 'ours'),
  );
  expect(error.hint).toContain('vmplug sandbox stop ours');
});
