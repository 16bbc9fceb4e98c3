import { expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import { served } from '../devices/plan-request.testing.ts';
import { hostSysfs } from '../host/vfio/host-sysfs.ts';
import type { Begun } from '../operations/attach-begin.ts';
import { attachmentRecord, operationRecord, sandboxRecord } from '../store/records.testing.ts';
import { notShown, notWithdrawn, ofSource, ofStart } from './start-errors.ts';

const context = { sandbox: sandboxRecord('vm1'), sysfs: hostSysfs };
const begun = (id: string, more: Partial<AttachmentRecord> = {}): Begun => ({
  attachment: { ...attachmentRecord(id, 'vm1'), ...more },
  operation: operationRecord(`op-${id}`, id, 'vm1'),
});
const failed = (code: VmplugError['code'], reason: string, more = {}): VmplugError =>
  new VmplugError(code, { action: 'start QEMU for', subject: 'vm1', reason, ...more });
const [one, two] = [begun('a1'), begun('b2')];

test.each([
  ['Failed to get "write" lock; Is another process using the image [/b]?', 'source-locked'],
  ['vhost initialization failed: Input/output error', 'not-vhost-user'],
  ['vhost_set_owner failed: Invalid argument', 'not-vhost-user'],
  ["File descriptor '3' is not a socket", 'not-vhost-user'],
  ["Parameter 'x' is unexpected", 'vmm-refused'],
] as const)('QEMU complains of the arguments of a device: %s', async (words, code) => {
  const said = `qemu: -device {"driver":"virtio-blk-pci","id":"vmplug-b2-1"}: ${words}`;
  const error = await ofStart(failed('start-failed', said), context, [one, two]);
  expect(error).toMatchObject({ code, subject: '/images/b2' });
  expect(String(error)).not.toContain('"driver"');
});

test('a connection is no JSON: its device is found all the same', async () => {
  const said = 'qemu: -chardev socket,id=vmplug-a1-1,path=/s,server=off: Failed to connect to /s';
  expect(await ofStart(failed('start-failed', said), context, [one, two])).toMatchObject({
    code: 'vmm-refused',
    subject: '/images/a1',
    reason: "vm1's VMM said: Failed to connect to /s",
  });
});

test('what QEMU says of something else, and what is no failed start, stays as it is', async () => {
  const kernel = failed('start-failed', 'could not load kernel');
  expect(await ofStart(kernel, context, [one, two])).toBe(kernel);
  const silence = failed('deadline-passed', 'it did not greet');
  expect(await ofStart(silence, context, [one, two])).toBe(silence);
});

test('a QEMU that does not get ready names what it may wait for: every program behind a socket', async () => {
  const behind = (source: string): Begun =>
    begun(source, { host: served('vhost-user-blk', { source, socket: '/s' }) });
  const silence = failed('deadline-passed', 'it did not greet');
  expect(await ofStart(silence, context, [one, behind('./c')])).toMatchObject({
    ...{ code: 'backend-silent', subject: './c', facts: { socket: '/s' } },
    reason: expect.stringContaining('the program behind ./c'),
  });
  expect(await ofStart(silence, context, [behind('./c'), one, behind('./d')])).toMatchObject({
    ...{ code: 'backend-silent', subject: './c' },
    reason: expect.stringMatching(/behind \.\/c or of .* behind \.\/d$/),
  });
});

test('an error names the source; the same device twice is no talk of a device that was never there', () => {
  expect(ofSource(failed('no-free-place', 'all 2 slots'), './a.img', [])).toMatchObject({
    ...{ code: 'no-free-place', subject: './a.img' },
    reason: expect.stringContaining('all 2 slots'),
  });
  const twice = failed('already-attached', 'vm1 has it', { facts: { device: 'a1' } });
  expect(ofSource(twice, './a.img', [one])).toMatchObject({ code: 'already-attached', hint: 'give it once' });
  expect(
    ofSource(failed('tag-in-use', 'that of a1', { facts: { device: 'a1' } }), './b', [one]),
  ).toMatchObject({
    ...{ code: 'tag-in-use', subject: './b', hint: expect.not.stringContaining('detach') },
    reason: expect.stringContaining('/images/a1'),
  });
  expect(
    ofSource(failed('mac-in-use', 'that of a1', { facts: { device: 'a1' } }), './b', [one]),
  ).toMatchObject({
    ...{ code: 'mac-in-use', subject: './b', hint: expect.not.stringContaining('detach') },
    reason: expect.stringContaining('/images/a1'),
  });
  const own = new VmplugError('claimed-elsewhere', { action: 'attach', subject: './a.img', reason: 'vm2' });
  expect(ofSource(own, './a.img', [])).toBe(own);
});

test('a device that was not shown says what became of the VM', () => {
  const error = notShown(
    failed('deadline-passed', 'no further than enumerated', { hint: 'it stays' }),
    './a',
  );
  expect(error).toMatchObject({
    code: 'deadline-passed',
    subject: './a',
    hint: expect.stringContaining('ended'),
  });
});

test('a start that failed and could not be taken back tells both', () => {
  const error = notWithdrawn(failed('start-failed', 'first'), failed('deadline-passed', 'second'));
  expect(error).toMatchObject({ code: 'deadline-passed', reason: expect.stringMatching(/second.*first/) });
});
