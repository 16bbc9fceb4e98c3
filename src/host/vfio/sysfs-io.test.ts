import { execFile, execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../host.testing.ts';
import { sysfsIo } from './sysfs-io.ts';

describe('reading and writing sysfs', () => {
  it('writes over the beginning of a file and leaves the rest', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'driver_override');
    writeFileSync(path, '(null)\n');
    await sysfsIo().write(path, '%s\n');
    expect(await sysfsIo().read(path)).toBe('%s\nll)\n');
  });

  it('makes no file', async () => {
    using directory = temporaryDirectory();
    await expect(sysfsIo().write(join(directory.path, 'unbind'), 'x')).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect(readdirSync(directory.path)).toEqual([]);
  });

  it('passes on what the system says of a write that fails', async () => {
    await expect(sysfsIo().write('/dev/full', 'x')).rejects.toThrow(/No space left on device/);
  });

  it('gives up on a write that does not end, and lets go of it', async () => {
    using directory = temporaryDirectory();
    const fifo = join(directory.path, 'unbind');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      fill(fifo);
      await expect(sysfsIo({ timeoutMs: 50 }).write(fifo, 'x')).rejects.toMatchObject({
        code: 'deadline-passed',
        subject: fifo,
      });
    } finally {
      // Ends the writer: nobody reads any more.
      closeSync(reader);
    }
  });

  it('lets the process end while the kernel is still at it', async () => {
    using directory = temporaryDirectory();
    const fifo = join(directory.path, 'unbind');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      fill(fifo);
      const script = `import { sysfsIo } from ${JSON.stringify(import.meta.resolve('./sysfs-io.ts'))};
        await sysfsIo({ timeoutMs: 50 }).write(process.argv[1], 'x').catch(({ code }) => console.log(code));`;
      const options = ['--input-type=module', '-e', script, fifo];
      const { stdout } = await promisify(execFile)(process.execPath, options, { timeout: 10_000 });
      expect(stdout).toBe('deadline-passed\n');
    } finally {
      closeSync(reader);
    }
  });

  it('W103: leaves no file open, also when writes fail', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'bind');
    writeFileSync(path, '');
    const opened = (): string[] =>
      readdirSync('/proc/self/fd').filter((fd) => targetOf(fd) === path || targetOf(fd) === '/dev/full');
    for (let time = 0; time < 3; time += 1) {
      await sysfsIo().write(path, 'x');
      await expect(sysfsIo().write('/dev/full', 'x')).rejects.toThrow('No space');
    }
    expect(opened()).toEqual([]);
    expect(readFileSync(path, 'utf8')).toBe('x');
  });
});

function targetOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The listing's own, closed since.
    return undefined;
  }
}

/** Fills a FIFO up to where the next write waits. */
function fill(fifo: string): void {
  const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(writer, Buffer.alloc(4096));
  } catch (error) {
    expect(error).toMatchObject({ code: 'EAGAIN' });
  } finally {
    closeSync(writer);
  }
}
