import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VmplugError } from '../api/errors.ts';
import { placeKey } from '../api/place.ts';
import { makeBackup, makeBackupWhenOld } from './backup.ts';
import { attachmentRecord, sandboxRecord } from './records.testing.ts';
import { restoreState } from './restore.ts';
import { SqliteStore } from './sqlite-store.ts';
import { checkState } from './state-check.ts';
import { backupOf, storeFile } from './state-file.ts';

const count = 120;
const page = 4096;
let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
  file = storeFile(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A state of several pages a table, closed well. */
function fill(): void {
  using store = SqliteStore.open(directory);
  store.write((tx) => {
    for (let index = 0; index < 4; index += 1) tx.putSandbox(sandboxRecord(`vm${index}`));
    for (let index = 0; index < count; index += 1) put(tx, `d${index}`, `vm${index % 4}`);
    tx.putImageFormat('file:1:d0', 'raw');
  });
}

function put(tx: Parameters<Parameters<SqliteStore['write']>[0]>[0], id: string, sandbox: string): void {
  const slot = Number(id.slice(1));
  const record = attachmentRecord(id, sandbox);
  const place = {
    transport: 'pci',
    bus: `port${slot}`,
    slot: 0,
    path: ['02', '00'],
    unplug: 'acpi',
  } as const;
  tx.putAttachment({ ...record, place });
  tx.claim(record.host.identities, id, sandbox);
  tx.takePlace(sandbox, placeKey(place), id);
}

/** Overwrites a page, from 1. */
function spoil(number: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, (number - 1) * page, number * page);
  writeFileSync(file, bytes);
}

function devices(): Map<string, string> {
  using store = SqliteStore.open(directory);
  return new Map(store.read((tx) => tx.attachments().map(({ id, state }) => [id, state])));
}

const pages = (): number => readFileSync(file).length / page;

describe('a page that is damaged', () => {
  test('is found by the check, wherever it is, and what reads it says so and names the file', () => {
    fill();
    const sound = readFileSync(file);
    expect(checkState(directory)).toEqual([]);
    const noticed = new Set<string>();
    for (let number = 1; number <= sound.length / page; number += 1) {
      writeFileSync(file, sound);
      // A free page is nobody's.
      spoil(number);
      const wasRead = readAll();
      if (wasRead instanceof VmplugError) {
        noticed.add(wasRead.code);
        expect(wasRead.message, `page ${number}`).toContain(file);
        expect(wasRead.hint).toBeDefined();
      }
      if (number > 1) expect(checkState(directory), `page ${number}`).not.toEqual([]);
    }
    expect([...noticed].sort()).toEqual(['state-damaged', 'state-unavailable']);
  });

  function readAll(): unknown {
    try {
      using store = SqliteStore.open(directory);
      return store.read((tx) => [tx.sandboxes(), tx.attachments(), tx.operations({}), tx.leases()]);
    } catch (error) {
      if (!(error instanceof VmplugError)) throw error;
      return error;
    }
  }

  test('as is a file that was cut off, and a record that is no JSON', () => {
    fill();
    makeBackup(directory);
    const sound = readFileSync(file);
    for (const size of [sound.length - 1, sound.length - page, page, 0]) {
      writeFileSync(file, sound.subarray(0, size));
      expect(checkState(directory), `${size} bytes`).not.toEqual([]);
    }
    const text = sound.indexOf('{"name":"vm1"');
    sound.write('#', text);
    writeFileSync(file, sound);
    expect(checkState(directory)).toEqual(['1 records of sandboxes cannot be read']);
    expect(readAll()).toMatchObject({ code: 'state-damaged', subject: file });
  });
});

describe('a state that is restored', () => {
  test('whichever page was damaged: with the backup every device is there, to be asked about', () => {
    fill();
    makeBackup(directory);
    const sound = readFileSync(file);
    for (let number = 1; number <= sound.length / page; number += 1) {
      writeFileSync(file, sound);
      spoil(number);
      const spoiled = readFileSync(file);
      const { aside, sandboxes, attachments, hasBackup } = restoreState(directory);
      expect({ sandboxes, attachments, hasBackup }, `page ${number}`).toEqual({
        sandboxes: 4,
        attachments: count,
        hasBackup: true,
      });
      expect(checkState(directory)).toEqual([]);
      expect([...new Set(devices().values())]).toEqual(['unknown']);
      expect(readFileSync(aside).equals(spoiled), 'what was put aside').toBe(true);
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('restoring'))).toEqual([]);
  });

  test('without a backup: what can be read, its claims and places with it; the rest is named as lost', () => {
    fill();
    const last = pages();
    let most = 0;
    for (let number = 2; number <= last; number += 1) {
      rmSync(directory, { recursive: true, force: true });
      SqliteStore.open(directory)[Symbol.dispose]();
      fill();
      spoil(number);
      const { attachments, lost, hasBackup } = restoreState(directory);
      expect(hasBackup).toBe(false);
      if (attachments < count) expect(lost, `page ${number}`).not.toEqual([]);
      most = Math.max(most, attachments);
      using store = SqliteStore.open(directory);
      store.read((tx) => {
        for (const { id, sandbox, place } of tx.attachments()) {
          expect(tx.holders(`file:1:${id}`)).toMatchObject([{ device: id, sandbox }]);
          expect(tx.takenPlaces(sandbox)).toContain(placeKey(place));
        }
      });
    }
    expect(most).toBe(count);
  });

  test('what came after the backup is kept where it can be read', () => {
    fill();
    makeBackup(directory);
    {
      using store = SqliteStore.open(directory);
      store.write((tx) => {
        put(tx, `d${count}`, 'vm0');
        tx.deleteAttachment('d0');
      });
    }
    // The index of the sandboxes' devices: the table itself stays whole.
    spoil(rootPage('attachments_of_sandbox'));
    restoreState(directory);
    expect(devices().has(`d${count}`)).toBe(true);
  });

  test('a lease whose attachment may be what was lost is one whose VM may have the group', () => {
    fill();
    const lease = { group: '12', functions: [], device: 'lost', sandbox: 'vm0', boot: 'b' };
    {
      using store = SqliteStore.open(directory);
      store.write((tx) => {
        tx.putLease(lease);
        tx.putLease({ ...lease, group: '13', device: 'd0' });
      });
    }
    spoil(rootPage('attachments_of_sandbox'));
    restoreState(directory);
    using store = SqliteStore.open(directory);
    expect(store.read((tx) => tx.leases())).toEqual([
      { ...lease, unseen: true },
      { ...lease, group: '13', device: 'd0' },
    ]);
  });

  test('of which only an empty file is left: it is no new state, and the backup brings it back', () => {
    fill();
    makeBackup(directory);
    writeFileSync(file, '');
    expect(() => SqliteStore.open(directory)).toThrow(expect.objectContaining({ code: 'state-damaged' }));
    restoreState(directory);
    expect(devices().size).toBe(count);
  });

  test('while another process has it open it is left alone', () => {
    fill();
    spoil(pages());
    const before = readFileSync(file);
    {
      using _open = SqliteStore.open(directory);
      expect(() => restoreState(directory)).toThrow(
        expect.objectContaining({ code: 'state-unavailable', facts: { pid: process.pid } }),
      );
    }
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(directory).filter((name) => name !== 'vmplug.db')).toEqual([]);
  });
});

describe('the backup', () => {
  test('is a whole state by itself, and is made anew when it is old', () => {
    fill();
    makeBackupWhenOld(directory);
    const first = readFileSync(backupOf(file));
    {
      using store = SqliteStore.open(directory);
      store.write((tx) => tx.putSandbox(sandboxRecord('later')));
    }
    makeBackupWhenOld(directory);
    expect(readFileSync(backupOf(file)).equals(first)).toBe(true);
    makeBackupWhenOld(directory, -1);
    copyFileSync(backupOf(file), file);
    using store = SqliteStore.open(directory);
    expect(store.read((tx) => tx.sandbox('later'))).toBeDefined();
  });

  test('of a damaged state none is made: the one before stays', () => {
    fill();
    makeBackup(directory);
    const before = readFileSync(backupOf(file));
    spoil(pages());
    expect(() => makeBackup(directory)).toThrow(expect.objectContaining({ code: 'state-damaged' }));
    expect(readFileSync(backupOf(file)).equals(before)).toBe(true);
    expect(existsSync(`${backupOf(file)}-${process.pid}`)).toBe(false);
  });
});

function rootPage(name: string): number {
  using db = new DatabaseSync(file, { readOnly: true });
  return Number(db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(name)?.['rootpage']);
}
