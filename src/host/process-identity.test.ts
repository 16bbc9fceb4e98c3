import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { parseProcStat } from './proc-stat.ts';
import { commandLine, isAlive, processIdentity } from './process-identity.ts';
import { fakeHost } from './host.testing.ts';

const line = (pid: number, command: string, state: string, start: string): string =>
  `${pid} (${command}) ${state} 1 ${Array.from({ length: 17 }, () => '0').join(' ')} ${start} 4096 0\n`;

describe('processIdentity', () => {
  it.each(['qemu', 'a) R 7 (b', ') ( )', '', 'two words'])('is not misled by the command %j', (command) => {
    expect(parseProcStat(line(9, command, 'S', '12345'))).toEqual({
      command,
      state: 'S',
      parent: 1,
      startTicks: '12345',
    });
  });

  it.each(['', '9', '9 (x', '9 (x) S 1 2'])('takes %j for no process', (text) => {
    expect(parseProcStat(text)).toBeUndefined();
  });

  it('tells a process from a later one, of this boot or another', () => {
    using host = fakeHost();
    host.write('proc/9/stat', line(9, 'qemu', 'S', '100'));
    host.write('proc/sys/kernel/random/boot_id', 'boot-1\n');
    const identity = processIdentity(9, host.paths);
    if (identity === undefined) throw new Error('no identity');
    expect(isAlive(identity, host.paths)).toBe(true);
    host.write('proc/9/stat', line(9, 'qemu', 'S', '101'));
    expect(isAlive(identity, host.paths)).toBe(false);
    host.write('proc/9/stat', line(9, 'qemu', 'S', '100'));
    host.write('proc/sys/kernel/random/boot_id', 'boot-2\n');
    expect(isAlive(identity, host.paths)).toBe(false);
  });

  it('counts a zombie as dead', () => {
    using host = fakeHost();
    host.write('proc/9/stat', line(9, 'qemu', 'Z', '100'));
    expect(processIdentity(9, host.paths)).toBeUndefined();
    expect(processIdentity(-1)).toBeUndefined();
    expect(processIdentity(1.5)).toBeUndefined();
  });

  it('has the words that a process was started with', () => {
    using host = fakeHost();
    host.write('proc/9/cmdline', 'qemu\0-name\0sandbox 1\0');
    expect(commandLine(9, host.paths)).toBe('qemu -name sandbox 1');
    expect(commandLine(10, host.paths)).toBe('');
    expect(commandLine(-1)).toBe('');
  });

  it('follows a real process to its end', async () => {
    const child = spawn('sleep', ['60']);
    const identity = processIdentity(child.pid ?? 0);
    if (identity === undefined) throw new Error('no identity');
    expect(isAlive(identity)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isAlive(identity)).toBe(false);
  });
});
