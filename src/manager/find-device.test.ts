import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import { temporaryDirectory } from '../host/host.testing.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, testDisk, TestStore } from '../operations/bench.testing.ts';
import { findDevice } from './find-device.ts';

let stores: TestStore;
let bench: Bench;
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  stores = new TestStore();
  bench = new Bench(stores.store, { buses: everyBus() });
  directory = temporaryDirectory();
  for (const folder of ['a', 'b', 'c']) mkdirSync(join(directory.path, folder));
});
afterEach(() => {
  stores[Symbol.dispose]();
  directory[Symbol.dispose]();
});

/** A file in one of the folders, attached by its bare name. */
async function attached(folder: string, name: string): Promise<AttachmentRecord> {
  const path = join(directory.path, folder, name);
  writeFileSync(path, 'x');
  const layers = [{ path, format: 'raw', protocol: 'file' }] as const;
  return await bench.attach({ ...testDisk(path), source: name, layers });
}

const find = (text: string, folder: string): Promise<AttachmentRecord> =>
  findDevice(
    bench.store.read((tx) => tx.attachments()),
    text,
    {
      sandbox: 'vm1',
      cwd: join(directory.path, folder),
    },
  );

test('a relative source means the file that it names here, not one that was given so elsewhere', async () => {
  const first = await attached('a', 'disk.img');
  writeFileSync(join(directory.path, 'b/disk.img'), 'x');
  await expect(find('disk.img', 'b')).rejects.toMatchObject({ code: 'device-not-found' });
  const second = await attached('b', 'disk.img');
  expect((await find('disk.img', 'a')).id).toBe(first.id);
  expect((await find('disk.img', 'b')).id).toBe(second.id);
  await expect(find('disk.img', 'c')).rejects.toMatchObject({ code: 'invalid-argument' });
});

test('a source as it was given, where nothing here is called so', async () => {
  const { id } = await attached('a', 'disk.img');
  expect((await find('disk.img', 'c')).id).toBe(id);
  rmSync(join(directory.path, 'a/disk.img'));
  expect((await find('disk.img', 'a')).id).toBe(id);
  expect((await find(join(directory.path, 'a/disk.img'), 'c')).id).toBe(id);
});

test('what is the beginning of one id and the source of another device is not guessed', async () => {
  const first = await attached('a', 'disk.img');
  const second = await attached('a', first.id.slice(0, 4));
  await expect(find(first.id.slice(0, 4), 'a')).rejects.toMatchObject({
    code: 'invalid-argument',
    reason: expect.stringContaining(second.id),
  });
  expect((await find(first.id.slice(0, 5), 'a')).id).toBe(first.id);
  expect((await find(first.id, 'a')).id).toBe(first.id);
  await expect(find(first.id.slice(0, 3), 'a')).rejects.toMatchObject({ code: 'device-not-found' });
});
