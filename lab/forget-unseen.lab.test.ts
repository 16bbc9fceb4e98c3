import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { refused } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

const program = fileURLToPath(new URL('../bin/vmplug', import.meta.url));
const plug = ['--driver', 'virtio-scsi', '--wait', 'acknowledged'];

let lab: Lab;
let hidden: ForeignQemu;
let other: ForeignQemu;

beforeAll(async () => {
  lab = new Lab();
  const arguments_ = ['-S', '-device', 'virtio-scsi-pci'];
  hidden = await startForeignQemu(lab.directory, arguments_, { waits: false });
  mkdirSync(lab.path('other'));
  other = await startForeignQemu(lab.path('other'), arguments_, { waits: false });
  await lab.ok('sandbox', 'adopt', 'other', '--qmp', other.qmp);
});
afterAll(async () => {
  await hidden[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** From a PID namespace of its own no process of this host is seen, as from a container. */
function adoptUnseen(name: string, qmp: string): void {
  const adopt = [program, 'sandbox', 'adopt', name, '--qmp', qmp, '--state-dir', lab.stateDir];
  const { status, stderr } = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', ...adopt], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
}

test('a VM whose process was never found and that cannot be reached is forgotten by force, and by nothing else', async () => {
  adoptUnseen('hidden', hidden.qmp);
  const image = lab.image('a.img');
  const { id } = await lab.ok<{ id: string }>('attach', 'hidden', image, ...plug);
  expect((await refused(lab, 'sandbox-in-use', 'sandbox', 'forget', 'hidden', '--force')).reason).toMatch(
    /answers/,
  );
  renameSync(hidden.qmp, `${hidden.qmp}.moved`);
  const before = await lab.ok('ls');
  const { hint } = await refused(lab, 'sandbox-in-use', 'sandbox', 'forget', 'hidden');
  expect(hint).toMatch(/vmplug sandbox forget hidden --force.*may still use/);
  expect((await refused(lab, 'outcome-unknown', 'detach', 'hidden', id)).hint).toContain('--force');
  expect(await lab.ok('ls')).toEqual(before);

  expect(await lab.ok('sandbox', 'forget', 'hidden', '--force')).toMatchObject({
    name: 'hidden',
    mayBeInUse: [{ id, source: image }],
  });
  // What is free here is kept from others by QEMU's own lock for as long as that VM has it.
  await refused(lab, 'source-locked', 'attach', 'other', image, ...plug);

  renameSync(`${hidden.qmp}.moved`, hidden.qmp);
  await lab.ok('sandbox', 'adopt', 'found', '--qmp', hidden.qmp);
  const doctor = await lab.vmplug('doctor', '--repair', '--json');
  const { findings } = doctor.json<{ findings: { device: string; what: string }[] }>();
  expect(findings).toMatchObject([
    { problem: 'orphan-device', sandbox: 'found', what: expect.stringContaining(image) },
  ]);
  const release = ['doctor', '--repair', '--release', `found/${findings[0]?.device}`, '--json'];
  await lab.vmplug(...release);
  await expect
    .poll(async () => (await lab.vmplug('doctor', '--repair', '--json')).code, { timeout: 60_000 })
    .toBe(0);
  await lab.ok('attach', 'other', image, ...plug);
});
