import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asNobody, refusalOf, refused, rootPort, vmmHas } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

const isRoot = process.getuid?.() === 0;
const run = (program: string, ...args: string[]): void => void execFileSync(program, args);

let lab: Lab;
let vm: ForeignQemu;

beforeAll(async () => {
  lab = new Lab();
  vm = await startForeignQemu(
    lab.directory,
    ['-machine', 'q35', '-S', ...rootPort('port0', 2), ...rootPort('port1', 3)],
    {
      waits: false,
    },
  );
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', vm.qmp);
});
afterAll(async () => {
  await vm[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** A tmpfs of its own, given back at the end. */
function smallFileSystem(name: string, size: string): Disposable & { path: string } {
  const path = lab.path(name);
  mkdirSync(path);
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path);
  return { path, [Symbol.dispose]: () => run('umount', path) };
}

/** A copy of the lab's state, as if this vmplug had written it. */
function copyState(to: string): void {
  cpSync(lab.stateDir, to, { recursive: true });
}

/** Every verb that opens the state, with a source that would do. */
function verbs(): string[][] {
  return [
    ['attach', 'vm', lab.image('a.img'), '--wait', 'acknowledged'],
    ['detach', 'vm', 'a.img'],
    ['ls'],
    ['sandbox', 'ls'],
    ['doctor'],
    ['sandbox', 'run', 'new', '--accel', 'tcg'],
  ];
}

describe('a state of a newer version', () => {
  test('is refused by every verb, and nothing is changed', async () => {
    const state = lab.path('newer');
    copyState(state);
    const file = join(state, 'vmplug.db');
    {
      using db = new DatabaseSync(file);
      db.exec('PRAGMA user_version = 4711');
    }
    const before = readFileSync(file);
    const had = await vmmHas(vm.qmp);
    for (const args of verbs()) {
      const error = await refused(lab, 'state-too-new', ...args, '--state-dir', state);
      expect(error).toMatchObject({
        message: expect.stringContaining(file),
        reason: expect.stringContaining('4711'),
        hint: expect.stringContaining('newer'),
      });
    }
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(state)).not.toContain('sandboxes');
    expect(await vmmHas(vm.qmp)).toEqual(had);
  });
});

describe('a state directory that cannot be one', () => {
  test.each([
    ['below a regular file', 'file/state'],
    ['a regular file', 'file'],
  ])('%s', async (_, name) => {
    writeFileSync(lab.path('file'), 'text');
    for (const args of [['doctor'], ['attach', 'vm', 'a.img'], ['sandbox', 'run', 'new', '--accel', 'tcg']]) {
      const error = await refused(lab, 'state-unavailable', ...args, '--state-dir', lab.path(name));
      expect(error.message).toContain(lab.path(name));
      expect(error.hint).toContain('--state-dir');
    }
    expect(readFileSync(lab.path('file'), 'utf8')).toBe('text');
  });

  test('a path that is too long for the sockets in it', async () => {
    const state = lab.path('d'.repeat(100));
    const error = await refused(
      lab,
      'invalid-argument',
      'sandbox',
      'run',
      'new',
      '--accel',
      'tcg',
      '--state-dir',
      state,
    );
    expect(error.hint).toContain('shorter');
  });

  test('with a file in it that is no database, or a damaged one', async () => {
    const state = lab.path('damaged');
    mkdirSync(state);
    const file = join(state, 'vmplug.db');
    for (const [content, code] of [
      [Buffer.from('not a database at all, '.repeat(100)), 'state-unavailable'],
      [torn(), 'state-damaged'],
    ] as const) {
      writeFileSync(file, content);
      const error = await refused(lab, code, 'ls', '--state-dir', state);
      expect(error.message).toContain(file);
      expect(error.hint).not.toBeNull();
      expect(readFileSync(file)).toEqual(content);
    }
  });

  /** A database whose pages after the first are noise. */
  function torn(): Buffer {
    const source = lab.path('torn');
    copyState(source);
    {
      // What is in the write-ahead log goes into the file.
      using db = new DatabaseSync(join(source, 'vmplug.db'));
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    }
    const bytes = readFileSync(join(source, 'vmplug.db'));
    bytes.fill(0xa5, 4096);
    return bytes;
  }
});

describe.skipIf(!isRoot)('a state directory on a read-only file system', () => {
  test('is refused by what writes, and the VM is left alone', async () => {
    using disk = smallFileSystem('ro', '4M');
    const state = join(disk.path, 's');
    copyState(state);
    run('mount', '-o', 'remount,ro', disk.path);
    const had = await vmmHas(vm.qmp);
    for (const args of [
      ['attach', 'vm', lab.image('ro.img'), '--wait', 'acknowledged'],
      ['sandbox', 'forget', 'vm'],
    ]) {
      const error = await refused(lab, 'state-unavailable', ...args, '--state-dir', state);
      expect(error).toMatchObject({
        message: expect.stringContaining(state),
        hint: expect.stringContaining('writable'),
      });
    }
    expect(await vmmHas(vm.qmp)).toEqual(had);
    for (const args of [['doctor'], ['sandbox', 'run', 'new', '--accel', 'tcg']]) {
      const error = await refused(lab, 'state-unavailable', ...args, '--state-dir', join(disk.path, 'none'));
      expect(error.hint).not.toBeNull();
    }
  });
});

describe.skipIf(!isRoot)('a state directory of somebody else', () => {
  test('is refused, with the directory and what to do', ({ skip }) => {
    // The lab's own directory is closed to others as well.
    chmodSync(lab.directory, 0o711);
    const state = lab.path('theirs');
    copyState(state);
    chmodSync(state, 0o700);
    const result = asNobody(lab, 'doctor', '--json', '--state-dir', state);
    if (result === undefined) return skip('others may not read this checkout');
    const error = refusalOf(result, 'state-unavailable');
    expect(error).toMatchObject({
      message: expect.stringContaining(state),
      hint: expect.stringContaining('permissions'),
    });
  });
});

describe.skipIf(!isRoot)('a state directory that is full', () => {
  test('an attach is refused before anything is sent; with room it works', async () => {
    using disk = smallFileSystem('full', '600k');
    const state = join(disk.path, 's');
    copyState(state);
    const image = lab.image('full.img');
    const had = await vmmHas(vm.qmp);
    // With no room the state cannot be opened; with a little, it opens and the journal does not
    // fit; with a little more, the plug itself cannot be recorded.
    let untouched = 0;
    for (let room = 0; (await vmmHas(vm.qmp)).nodes.length === had.nodes.length; room += 4 * 1024) {
      const filler = join(disk.path, 'filler');
      fill(disk.path, filler, room);
      const result = await lab.vmplug(
        'attach',
        'vm',
        image,
        '--wait',
        'acknowledged',
        '--json',
        '--state-dir',
        state,
      );
      rmSync(filler);
      if (result.code === 0) break;
      const { message, hint, facts } = refusalOf(result, 'state-unavailable');
      expect(message).toContain(state);
      expect(hint).toContain('space');
      if (facts['device'] === undefined) untouched += 1;
      const devices = facts['device'] === undefined ? [] : [{ id: facts['device'], state: 'attaching' }];
      expect(await lab.ok('ls', '--state-dir', state)).toMatchObject({ devices });
    }
    expect(untouched).toBeGreaterThan(1);
    expect(await lab.ok('doctor', '--repair', '--state-dir', state)).toMatchObject({ ok: true });
    const { devices } = await lab.ok<{ devices: { vmmId: string }[] }>('ls', '--state-dir', state);
    expect(devices).toMatchObject([{ state: 'attached' }]);
    const names = devices.map(({ vmmId }) => vmmId);
    expect(await vmmHas(vm.qmp)).toEqual({
      devices: [...had.devices, ...names].toSorted(),
      nodes: [...had.nodes, ...names, ...names.map((name) => `${name}-f`)].toSorted(),
    });
  });

  /** Leaves so many bytes free. */
  function fill(directory: string, file: string, room: number): void {
    const { bavail, bsize } = statfsSync(directory);
    writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - room)));
  }
});

test('a state directory that is not there yet is not made by what only reads', async () => {
  const state = lab.path('not yet');
  for (const args of [['ls'], ['sandbox', 'ls']]) await lab.ok(...args, '--state-dir', state);
  expect(existsSync(state)).toBe(false);
});
