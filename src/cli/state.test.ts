import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseExact } from '../api/exact-json.ts';
import { sandboxRecord } from '../store/records.testing.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { rich, richContainer } from '../store/v1/documents.testing.ts';
import { readSandboxState } from '../store/v1/read.ts';

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmplug-state-'));
  const directory = join(root, 'vc', 'sbs', 'sandbox-1');
  mkdirSync(join(directory, 'c1'), { recursive: true });
  file = join(directory, 'persist.json');
  writeFileSync(file, rich);
  writeFileSync(join(directory, 'c1', 'persist.json'), richContainer);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const main = join(import.meta.dirname, 'main.ts');
function vmplug(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const env = { ...process.env, VMPLUG_STATE_DIR: join(root, 'state'), NO_COLOR: '1' };
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
}

test('what is imported is exported again, with every field that v1 keeps', () => {
  expect(vmplug('state', 'import', file)).toMatchObject({ status: 0, stderr: '' });
  const { status, stdout } = vmplug('state', 'export', '--json');
  expect(status).toBe(0);
  expect(stdout).toMatch(/^\{.*\}\n$/);
  expect(parseExact(stdout)).toMatchObject(parseExact(rich) as object);
  // But for the PCI path of the first device, which v1 had lost and which stands beside its own key.
  const lost = stdout.replace(',"PCIPathText":"02/01"', '');
  expect(lost).not.toBe(stdout);
  expect(readSandboxState(Buffer.from(lost), 'out')).toEqual(readSandboxState(Buffer.from(rich), 'in'));
  // Without --json it is the same document, for people.
  const forPeople = vmplug('state', 'export', 'sandbox-1').stdout;
  expect(forPeople.split('\n').length).toBeGreaterThan(100);
  expect(parseExact(forPeople)).toEqual(parseExact(stdout));
});

test('--dir writes v1’s layout, which can be imported again', () => {
  vmplug('state', 'import', file);
  const out = join(root, 'out');
  const written = vmplug('state', 'export', '--dir', out, '--json');
  expect(JSON.parse(written.stdout)).toMatchObject({
    schemaVersion: 1,
    type: 'export',
    sandboxes: [
      { name: 'sandbox-1', path: join(out, 'sbs/sandbox-1/persist.json'), containers: ['c1'], devices: 6 },
    ],
  });
  const container = readFileSync(join(out, 'sbs/sandbox-1/c1/persist.json'), 'utf8');
  expect(parseExact(container)).toEqual(parseExact(richContainer));
  const again = vmplug('state', 'import', join(out, 'sbs/sandbox-1'), '--name', 'again', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ sandbox: { name: 'again' }, containers: ['c1'] });
});

test('the import says what it took over, as a document and for people', () => {
  const { stdout } = vmplug('state', 'import', file, '--name', 'vm1', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    schemaVersion: 1,
    type: 'import',
    sandbox: { name: 'vm1', hypervisor: 'qemu', origin: 'adopted', pid: null },
    skipped: [],
  });
  const { devices } = JSON.parse(stdout) as { devices: unknown[] };
  expect(devices[1]).toMatchObject({
    id: '0000000000000002',
    kind: 'block',
    references: '18446744073709551615',
    attachments: '9007199254740993',
    hostPath: '/srv/a&b<c>.img',
  });
  vmplug('sandbox', 'forget', 'vm1');
  const people = vmplug('state', 'import', file).stdout;
  expect(people).toContain('0000000000000003  vfio');
  expect(people).toMatch(/0000000000000003 {2}.*IsPCIe, Class, Bus, VendorID, DeviceID/);
});

test('errors have the exit code of what they are', () => {
  const failed = (...args: string[]): [number | null, string] => {
    const { status, stdout } = vmplug('state', ...args, '--json');
    return [status, (JSON.parse(stdout) as { error: { code: string } }).error.code];
  };
  expect(failed('export')).toEqual([3, 'sandbox-not-found']);
  expect(failed('export', '--dir', join(root, 'out'))).toEqual([3, 'sandbox-not-found']);
  expect(failed('import', join(root, 'nothing'))).toEqual([3, 'source-not-found']);
  expect(failed('import')).toEqual([2, 'invalid-argument']);
  writeFileSync(file, rich.slice(0, 100));
  expect(failed('import', file)).toEqual([1, 'invalid-state']);
  expect(vmplug('state', 'import', file).stderr).toContain('$: the file ends in the middle');
  using store = SqliteStore.open(join(root, 'state'));
  store.write((tx) => ['vm1', 'vm2'].forEach((name) => tx.putSandbox(sandboxRecord(name))));
  expect(failed('export')).toEqual([2, 'invalid-argument']);
  expect(vmplug('state', 'export').stderr).toContain('vm1, vm2');
  expect(failed('export', 'vm3')).toEqual([3, 'sandbox-not-found']);
});

test('the help has examples', () => {
  for (const verb of [[], ['import'], ['export']]) {
    expect(vmplug('state', ...verb, '--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Examples:'),
    });
  }
});

test('an empty path is refused: it would stand for the current directory', () => {
  expect(vmplug('state', 'import', '', '--json')).toMatchObject({ status: 2 });
  vmplug('state', 'import', file);
  expect(vmplug('state', 'export', '--dir', '', '--json')).toMatchObject({ status: 2 });
});
