import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ContainerState, SandboxState } from './documents.ts';
import { rich, richContainer } from './documents.testing.ts';
import { FsPersistDriver } from './fs-persist-driver.ts';
import { readContainerState, readSandboxState } from './read.ts';

let root: string;
let driver: FsPersistDriver;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmplug-v1-'));
  driver = new FsPersistDriver(root);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const id = 'test-fs-driver';
function sandbox(more: object = {}): SandboxState {
  return readSandboxState(Buffer.from(JSON.stringify({ SandboxContainer: id, ...more })), 'test');
}
const container = (State: string): ContainerState =>
  readContainerState(Buffer.from(JSON.stringify({ State })), 'test');
const fileOf = (...parts: string[]): string => join(root, 'sbs', id, ...parts, 'persist.json');

/** Every file below the root with its content. */
function everything(): Record<string, string> {
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => [
      join(entry.parentPath, entry.name),
      readFileSync(join(entry.parentPath, entry.name), 'utf8'),
    ]),
  );
}

describe('7.4 driver', () => {
  test('7.4 driver: toDisk without SandboxContainer is an error', async () => {
    await expect(
      driver.toDisk({ sandbox: sandbox({ SandboxContainer: '' }), containers: {} }),
    ).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(readdirSync(root)).toEqual([]);
  });

  test('7.4 driver: fromDisk of an unknown or empty id is an error', async () => {
    await expect(driver.fromDisk('unknown')).rejects.toMatchObject({ code: 'sandbox-not-found' });
    await expect(driver.fromDisk('')).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('7.4 driver: what was kept is read: an empty state, then running, then a container', async () => {
    await driver.toDisk({ sandbox: sandbox(), containers: {} });
    expect(await driver.fromDisk(id)).toMatchObject({
      sandbox: { State: '', SandboxContainer: id },
      containers: {},
    });
    await driver.toDisk({ sandbox: sandbox({ State: 'running' }), containers: {} });
    expect((await driver.fromDisk(id)).sandbox.State).toBe('running');
    await driver.toDisk({ sandbox: sandbox(), containers: { 'test-container': container('ready') } });
    expect((await driver.fromDisk(id)).containers).toEqual({ 'test-container': container('ready') });
  });

  test('7.4 driver: toDisk without a container that was kept removes its directory', async () => {
    await driver.toDisk({ sandbox: sandbox(), containers: { 'test-container': container('ready') } });
    await driver.toDisk({ sandbox: sandbox(), containers: {} });
    expect((await driver.fromDisk(id)).containers).toEqual({});
    expect(existsSync(join(root, 'sbs', id, 'test-container'))).toBe(false);
  });

  test('7.4 driver: destroy removes the directory; twice is no error, without an id it is', async () => {
    await driver.toDisk({ sandbox: sandbox(), containers: { c: container('ready') } });
    await driver.destroy(id);
    expect(existsSync(join(root, 'sbs', id))).toBe(false);
    await driver.destroy(id);
    await expect(driver.destroy('')).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  test('7.4 global: bytes are read as they were written; what is not there is an error', async () => {
    const data = Buffer.from([0, 1, 255]);
    await driver.globalWrite('test/123/aaa.json', data);
    expect(Buffer.from(await driver.globalRead('test/123/aaa.json'))).toEqual(data);
    await expect(driver.globalRead('nonexist')).rejects.toMatchObject({ code: 'source-not-found' });
  });

  test('7.4 sandbox: reading before anything was kept says that there is nothing', async () => {
    await driver.prepare(id);
    await expect(driver.fromDisk(id)).rejects.toMatchObject({ code: 'sandbox-not-found' });
  });

  test('7.4 sandbox: an empty state comes back empty', async () => {
    await driver.toDisk({ sandbox: sandbox(), containers: {} });
    const { sandbox: read } = await driver.fromDisk(id);
    expect(read).toMatchObject({
      State: '',
      GuestMemoryBlockSizeMB: 0,
      HypervisorState: { BlockIndexMap: {} },
    });
  });

  test('7.4 sandbox: another driver reads state, block size and exactly the index that is used', async () => {
    const HypervisorState = { BlockIndexMap: { 2: {} } };
    const kept = sandbox({ State: 'running', GuestMemoryBlockSizeMB: 1024, HypervisorState });
    await driver.toDisk({ sandbox: kept, containers: {} });
    expect(await new FsPersistDriver(root).fromDisk(id)).toEqual({
      sandbox: { ...kept, PersistVersion: 2 },
      containers: {},
    });
    expect(kept.HypervisorState.BlockIndexMap).toEqual({ 2: {} });
  });
});

test('5.6: files are for their owner alone, and so are directories', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: { c: container('ready') } });
  for (const path of [fileOf(), fileOf('c')]) expect(statSync(path).mode & 0o777).toBe(0o600);
  for (const path of ['sbs', `sbs/${id}`, `sbs/${id}/c`]) {
    expect(statSync(join(root, path)).mode & 0o777).toBe(0o700);
  }
  expect([driver.runStoragePath(), driver.runVMStoragePath()]).toEqual([join(root, 'sbs'), join(root, 'vm')]);
});

test('5.6: what v1 wrote is read: trailing bytes, directories without a document, odd files beside it', async () => {
  await driver.prepare('sandbox-1');
  const directory = join(root, 'sbs', 'sandbox-1');
  for (const name of ['c1', 'empty']) mkdirSync(join(directory, name));
  writeFileSync(join(directory, 'persist.json'), `${rich}old tail`);
  writeFileSync(join(directory, 'c1', 'persist.json'), richContainer);
  writeFileSync(join(directory, 'a-file'), '');
  const read = await driver.fromDisk('sandbox-1');
  expect(read.sandbox.Devices).toHaveLength(6);
  expect(Object.keys(read.containers)).toEqual(['c1']);
});

test('W90: a file is replaced whole: one that is open keeps the old content', async () => {
  await driver.toDisk({ sandbox: sandbox({ State: 'running' }), containers: {} });
  const before = statSync(fileOf()).ino;
  await driver.toDisk({ sandbox: sandbox({ State: 'stopped' }), containers: {} });
  expect(statSync(fileOf()).ino).not.toBe(before);
  expect(readdirSync(join(root, 'sbs', id))).toEqual(['persist.json']);
});

test('W90: a document that ends in the middle is refused, and the file left alone', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: {} });
  writeFileSync(fileOf(), rich.slice(0, 100));
  await expect(driver.fromDisk(id)).rejects.toMatchObject({
    code: 'invalid-state',
    subject: fileOf(),
    reason: expect.stringContaining('interrupted'),
  });
  expect(readFileSync(fileOf(), 'utf8')).toBe(rich.slice(0, 100));
});

test('W90: at any moment there is a whole document, while another process writes and after it was killed', async () => {
  const lengths = [0, 500_000];
  const lengthNow = async (): Promise<number> => (await driver.fromDisk(id)).sandbox.CgroupPath.length;
  await driver.toDisk({ sandbox: sandbox(), containers: {} });
  const writer = spawn(process.execPath, [join(import.meta.dirname, 'write-for-ever.testing.ts'), root, id]);
  try {
    const seen = { words: 0 };
    writer.stdout.on('data', (words: Buffer) => (seen.words += words.toString().split('\n').length - 1));
    while (seen.words < 40) expect(lengths).toContain(await lengthNow());
  } finally {
    const ended = once(writer, 'exit');
    writer.kill('SIGKILL');
    await ended;
  }
  expect(lengths).toContain(await lengthNow());
});

test('W91: a write that fails leaves every document as it was', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: { a: container('ready'), b: container('ready') } });
  rmSync(join(root, 'sbs', id, 'b'), { recursive: true });
  writeFileSync(join(root, 'sbs', id, 'b'), 'in the way');
  const before = everything();
  await expect(
    driver.toDisk({
      sandbox: sandbox({ State: 'running' }),
      containers: { a: container('running'), b: container('running') },
    }),
  ).rejects.toMatchObject({ code: 'state-unavailable' });
  expect(everything()).toEqual(before);
});

test('W92: a directory that cannot be made takes no other container with it', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: { a: container('ready') } });
  const before = everything();
  await expect(
    driver.toDisk({
      sandbox: sandbox(),
      containers: { new: container('x'), ['x'.repeat(255)]: container('x'), '..': container('x') },
    }),
  ).rejects.toMatchObject({ code: 'invalid-argument' });
  writeFileSync(join(root, 'sbs', id, 'file'), '');
  await expect(
    driver.toDisk({ sandbox: sandbox(), containers: { new: container('x'), file: container('x') } }),
  ).rejects.toMatchObject({ code: 'state-unavailable' });
  rmSync(join(root, 'sbs', id, 'file'));
  expect(everything()).toEqual(before);
  expect(readdirSync(join(root, 'sbs', id)).toSorted()).toEqual(['a', 'persist.json']);
});

test('W93: nothing of an earlier read or write reappears, and what was read is nobody else’s', async () => {
  await driver.toDisk({
    sandbox: sandbox({ HypervisorState: { BlockIndexMap: { 1: {}, 2: {} } } }),
    containers: { gone: container('ready') },
  });
  const first = await driver.fromDisk(id);
  await driver.toDisk({
    sandbox: sandbox({ HypervisorState: { BlockIndexMap: { 3: {} } } }),
    containers: {},
  });
  const second = await driver.fromDisk(id);
  expect(second.sandbox.HypervisorState.BlockIndexMap).toEqual({ 3: {} });
  expect(second.containers).toEqual({});
  expect(first.sandbox.HypervisorState.BlockIndexMap).toEqual({ 1: {}, 2: {} });
});

test('W97: a shorter payload leaves no old tail', async () => {
  await driver.globalWrite('uuid/uuid.json', Buffer.from('a long payload'));
  await driver.globalWrite('uuid/uuid.json', Buffer.from('short'));
  expect(readFileSync(join(root, 'uuid', 'uuid.json'), 'utf8')).toBe('short');
});

test('W97: nothing is written or read outside of the root, not through a symbolic link either', async () => {
  const outside = mkdtempSync(join(tmpdir(), 'vmplug-outside-'));
  try {
    symlinkSync(outside, join(root, 'link'));
    writeFileSync(join(outside, 'secret'), 'x');
    await expect(driver.globalWrite('link/new/file', Buffer.from('y'))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    for (const path of ['../escape', '/etc/passwd', 'a/../../escape', 'link/secret', '', '.', 'a\0b']) {
      const refused = { code: 'invalid-argument' };
      await expect(driver.globalWrite(path, Buffer.from('y')), path).rejects.toMatchObject(refused);
      await expect(driver.globalRead(path), path).rejects.toMatchObject(refused);
    }
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('x');
    expect(readdirSync(outside)).toEqual(['secret']);
  } finally {
    rmSync(outside, { recursive: true });
  }
});

test('W97: an id is the name of one directory', async () => {
  for (const sid of ['..', '.', 'a/b', '../x', 'a\0', 'x'.repeat(256)]) {
    const refused = { code: 'invalid-argument' };
    await expect(driver.fromDisk(sid), sid).rejects.toMatchObject(refused);
    await expect(driver.destroy(sid), sid).rejects.toMatchObject(refused);
    await expect(driver.lock(sid, true), sid).rejects.toMatchObject(refused);
  }
});

test('W96, W98: damage and a newer version are told from a sandbox that is not there', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: {} });
  writeFileSync(fileOf(), '{"PersistVersion":7}');
  await expect(driver.fromDisk(id)).rejects.toMatchObject({ code: 'state-too-new' });
  writeFileSync(fileOf(), 'damaged');
  await expect(driver.fromDisk(id)).rejects.toMatchObject({ code: 'invalid-state' });
  rmSync(fileOf());
  await expect(driver.fromDisk(id)).rejects.toMatchObject({ code: 'sandbox-not-found' });
});

test('W103: however many containers there are, their files are not open together', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
  const containers = Object.fromEntries(names.map((name) => [name, container('x')]));
  let most = 0;
  const watched = async (work: Promise<unknown>): Promise<void> => {
    const watch = { isDone: false };
    const done = work.finally(() => (watch.isDone = true));
    while (!watch.isDone) {
      most = Math.max(most, openBelow(root));
      await setImmediate();
    }
    await done;
  };
  await watched(driver.toDisk({ sandbox: sandbox(), containers }));
  await watched(driver.fromDisk(id));
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(5);
});

/** How many descriptors of this process are open on files below `path`. */
function openBelow(path: string): number {
  const links = readdirSync('/proc/self/fd').map((descriptor) => linkOf(`/proc/self/fd/${descriptor}`));
  return links.filter((link) => link.startsWith(path)).length;
}

/** A descriptor may be gone by now. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

test('W106: the sandbox’s document is the last that takes its place', async () => {
  await driver.toDisk({ sandbox: sandbox(), containers: { a: container('ready') } });
  // A directory in its place, which no file can replace, stops the last step.
  rmSync(fileOf());
  mkdirSync(fileOf());
  await expect(
    driver.toDisk({
      sandbox: sandbox({ State: 'running' }),
      containers: { a: container('running'), b: container('x') },
    }),
  ).rejects.toMatchObject({ code: 'state-unavailable' });
  expect(readContainerState(readFileSync(fileOf('a')), 'a').State).toBe('running');
  expect(existsSync(fileOf('b'))).toBe(true);
});

test('W111: documents that have not changed are not written again', async () => {
  const containers = { a: container('ready'), b: container('ready') };
  await driver.toDisk({ sandbox: sandbox(), containers });
  const before = [fileOf(), fileOf('a'), fileOf('b')].map((path) => statSync(path).ino);
  await driver.toDisk({ sandbox: sandbox(), containers: { ...containers, b: container('running') } });
  const after = [fileOf(), fileOf('a'), fileOf('b')].map((path) => statSync(path).ino);
  expect(after.map((inode, index) => inode === before[index])).toEqual([true, true, false]);
});

test('what is no file is replaced and not waited for', async () => {
  mkdirSync(join(root, 'sbs', id), { recursive: true });
  spawnSync('mkfifo', [fileOf()]);
  await driver.toDisk({ sandbox: sandbox(), containers: {} });
  expect(statSync(fileOf()).isFile()).toBe(true);
});

test('a root that is a file is an error that names it', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  chmodSync(file, 0o600);
  await expect(
    new FsPersistDriver(file).toDisk({ sandbox: sandbox(), containers: {} }),
  ).rejects.toMatchObject({ code: 'state-unavailable', subject: join(file, 'sbs', id) });
});
