import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RealClock } from '../hypervisors/simulated/qemu/clock.ts';
import { startSimulatedQemu } from '../hypervisors/simulated/qemu/start.ts';
import { backupOf, storeFile } from '../store/state-file.ts';
import { examineState } from './state-repair.ts';
import { Vmplug } from './vmplug.ts';

const limits = { timeoutMs: 15_000 };
let directory: string;
let stateDir: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-repair-'));
  stateDir = join(directory, 'state');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function image(name: string): string {
  const path = join(directory, name);
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

/** Overwrites the first page of a table. */
function spoil(table: string): void {
  const file = storeFile(stateDir);
  const db = new DatabaseSync(file);
  const root = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)?.['rootpage'];
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0xa5, (Number(root) - 1) * 4096, Number(root) * 4096));
}

test('where there is no state yet nothing is said, and nothing is made', () => {
  expect(examineState(stateDir, true)).toEqual([]);
  expect(existsSync(stateDir)).toBe(false);
});

test('a sound state has nothing to be said about it, and a backup afterwards', async () => {
  {
    await using vmplug = Vmplug.open({ stateDir });
    expect(vmplug.sandboxes()).toEqual([]);
  }
  rmSync(backupOf(storeFile(stateDir)));
  expect(examineState(stateDir, false)).toEqual([]);
  expect(readFileSync(backupOf(storeFile(stateDir))).length).toBeGreaterThan(0);
});

test('a damaged one is restored from its backup, and the VM says what is still true', async () => {
  await using qemu = await startSimulatedQemu({
    clock: new RealClock(),
    guest: { takesMs: 1, answersMs: 1 },
  });
  const ids: string[] = [];
  {
    await using vmplug = Vmplug.open({ stateDir });
    await vmplug.adopt('vm', qemu.socket, limits);
    for (const name of ['kept', 'gone']) ids.push((await vmplug.attach('vm', image(name), limits)).id);
  }
  const [kept = '', gone = ''] = ids;
  expect(examineState(stateDir, false)).toEqual([]);
  let later: string;
  {
    await using vmplug = Vmplug.open({ stateDir });
    await vmplug.detach('vm', gone, limits);
    later = (await vmplug.attach('vm', image('later'), limits)).plan.vmmId;
  }
  spoil('attachments');
  expect(examineState(stateDir, false)).toMatchObject([{ problem: 'state-damaged', repaired: false }]);
  const findings = examineState(stateDir, true);
  expect(findings[0]).toMatchObject({ problem: 'state-damaged', repaired: true });
  expect(findings.map(({ what }) => what).join()).toContain('not all of attachments could be read');

  await using vmplug = Vmplug.open({ stateDir });
  const settled = await vmplug.doctor({ ...limits, repair: true });
  // What was detached after the backup was made is not in the VM, and goes; what came after it is named and left.
  expect(vmplug.list('vm')).toMatchObject([{ id: kept, state: 'attached' }]);
  const what = expect.stringContaining(`using ${join(directory, 'later')}`);
  const named = { problem: 'orphan-device', device: later, what, repaired: false };
  const devices = (): string[] => qemu.vm.machine.devices.map(({ id }) => id);
  expect(settled.filter(({ problem }) => problem === 'orphan-device')).toMatchObject([named]);
  expect(await vmplug.doctor({ ...limits, repair: true })).toMatchObject([named]);
  expect(devices()).toContain(later);

  await vmplug.doctor({ ...limits, repair: true, release: [`vm/${later}`] });
  await expect.poll(devices, { timeout: 15_000 }).not.toContain(later);
  const released = await vmplug.doctor({ ...limits, repair: true });
  expect(released).toMatchObject([{ problem: 'orphan-backend', device: later, repaired: true }]);
  expect(await vmplug.doctor(limits)).toEqual([]);
});
