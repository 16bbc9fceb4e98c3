import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asNobody, changesNothing, refusalOf, refused, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';
import { plug, run, TwoVms } from './two-vms.testing.ts';

const isRoot = process.getuid?.() === 0;
let vms: TwoVms;
let lab: Lab;

beforeAll(async () => {
  vms = await TwoVms.start();
  ({ lab } = vms);
});
afterAll(() => vms[Symbol.asyncDispose]());

function qcow2(name: string): string {
  const path = lab.path(name);
  run('qemu-img', 'create', '-q', '-f', 'qcow2', path, '16M');
  return path;
}

describe('a source that is no disk', () => {
  test('nothing by that name, also at the end of a link', async () => {
    const missing = lab.path('missing.img');
    expect((await vms.plugRefused('source-not-found', missing)).message).toContain(missing);
    symlinkSync(missing, lab.path('link'));
    expect((await vms.plugRefused('source-not-found', lab.path('link'))).reason).toContain('missing.img');
    await vms.plugRefused('source-not-found', `${lab.image('file.img')}/below`);
    await vms.plugRefused('invalid-argument', '');
    const long = await vms.plugRefused('invalid-argument', `/${'x'.repeat(10_000)}`);
    expect(long.message.length).toBeLessThan(500);
  });

  test('a directory, an empty file, a character device, a socket', async () => {
    const directory = await vms.plugRefused('source-unsuitable', lab.directory);
    expect(directory).toMatchObject({
      reason: expect.stringContaining('directory'),
      hint: expect.stringContaining('fs:'),
    });
    const empty = await vms.plugRefused('source-unsuitable', lab.image('empty.img', 0));
    expect(empty).toMatchObject({
      reason: expect.stringContaining('empty'),
      hint: expect.stringContaining('truncate'),
    });
    expect((await vms.plugRefused('source-unsuitable', '/dev/null')).reason).toContain('character device');
    expect((await vms.plugRefused('source-unsuitable', vms.one.qmp)).reason).toContain('socket');
  });

  test('a FIFO that nobody writes to, at once', async () => {
    const fifo = lab.path('fifo');
    run('mkfifo', fifo);
    const started = performance.now();
    const error = await vms.plugRefused('source-unsuitable', fifo);
    expect(error).toMatchObject({ reason: expect.stringContaining('FIFO'), hint: expect.any(String) });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('links in a circle', async () => {
    symlinkSync(lab.path('round'), lab.path('round-1'));
    symlinkSync(lab.path('round-1'), lab.path('round'));
    expect((await vms.plugRefused('source-unsuitable', lab.path('round'))).reason).toContain('circle');
  });

  test('kinds that there are not, unless they are files of that name', async () => {
    for (const source of ['fs:/srv', 'cdi:vendor.com/class=name']) {
      const error = await vms.plugRefused('unsupported', source);
      expect(error).toMatchObject({
        message: expect.stringContaining(source),
        hint: expect.stringContaining(`./${source}`),
      });
    }
  });

  test('names with everything in them are fine', async () => {
    for (const name of [
      'a,b',
      'a b',
      'a\nb',
      '--',
      '-rf',
      'büchse-盘.img',
      '%s',
      '\'"',
      `${'x'.repeat(250)}.img`,
    ]) {
      await vms.plugWorks('one', lab.image(name));
    }
  });
});

describe('a source that may not be opened', () => {
  test.skipIf(!isRoot)('an immutable file, also for root', async () => {
    const image = lab.image('immutable.img');
    run('chattr', '+i', image);
    try {
      const error = await vms.plugRefused('source-unsuitable', image);
      expect(error).toMatchObject({
        message: expect.stringContaining(image),
        hint: expect.stringContaining('lsattr'),
      });
      await vms.plugWorks('one', image, '--read-only');
    } finally {
      run('chattr', '-i', image);
    }
  });

  test('another user’s file, as a user without rights', async ({ skip }) => {
    const image = lab.image('private.img');
    chmodSync(image, 0o600);
    for (const path of [lab.directory, lab.path('two')]) chmodSync(path, 0o711);
    chmodSync(vms.two.qmp, 0o777);
    const state = lab.path('state-of-nobody');
    mkdirSync(state);
    if (isRoot) chownSync(state, 65_534, 65_534);
    const adopted = asNobody(lab, 'sandbox', 'adopt', 'two', '--qmp', vms.two.qmp, '--state-dir', state);
    if (adopted === undefined) return skip('others may not read this checkout');
    expect(adopted).toMatchObject({ code: 0 });
    const had = await vmmHas(vms.two.qmp);
    const result = asNobody(lab, ...plug('two', image, '--json', '--state-dir', state));
    const error = refusalOf(result ?? { code: -1, stdout: '', stderr: '' }, 'source-unsuitable');
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      hint: expect.stringContaining('mode'),
    });
    expect(await vmmHas(vms.two.qmp)).toEqual(had);
    expect(asNobody(lab, 'ls', '--state-dir', state)).toMatchObject({ code: 0, stdout: 'no devices\n' });
  });
});

describe('an image that the VMM may not open', () => {
  test.skipIf(!isRoot)(
    'QEMU runs as a user without rights: its words, and a hint; nothing is left',
    async () => {
      await using own = new Lab();
      // QEMU changes its user once it has started.
      const args = ['-S', '-device', 'virtio-scsi-pci', '-runas', 'nobody'];
      await using vm = await startForeignQemu(own.directory, args, { waits: false });
      await own.ok('sandbox', 'adopt', 'one', '--qmp', vm.qmp);
      const image = own.image('private.img');
      chmodSync(image, 0o600);
      chmodSync(own.directory, 0o711);
      const error = await changesNothing(own, ['one'], () =>
        refused(own, 'vmm-refused', ...plug('one', image)),
      );
      expect(error).toMatchObject({
        message: expect.stringContaining(image),
        reason: expect.stringContaining('Permission denied'),
        hint: expect.stringContaining('another user'),
      });
      chmodSync(image, 0o666);
      await own.ok(...plug('one', image));
    },
  );

  test('options that do not go together, or that this QEMU lacks', async () => {
    const error = await vms.plugRefused('invalid-argument', lab.image('aio.img'), '--aio', 'native');
    expect(error.hint).toContain('--cache none');
  });
});

describe('an image that another QEMU has open for writing', () => {
  /** Plugs a disk into `two` past vmplug, which takes the image's lock. */
  async function lockedBy(format: string, filename: string): Promise<AsyncDisposable> {
    await tellVmm(
      vms.two.qmp,
      ['blockdev-add', { driver: format, 'node-name': 'by-hand', file: { driver: 'file', filename } }],
      [
        'device_add',
        { driver: 'scsi-hd', id: 'by-hand', drive: 'by-hand', bus: 'scsi0.0', 'scsi-id': 7, lun: 7 },
      ],
    );
    return {
      [Symbol.asyncDispose]: async () => {
        await tellVmm(vms.two.qmp, ['device_del', { id: 'by-hand' }]);
        // QEMU lets go of the node a moment after the device.
        await expect
          .poll(() =>
            tellVmm(vms.two.qmp, ['blockdev-del', { 'node-name': 'by-hand' }]).then(Boolean, () => false),
          )
          .toBe(true);
      },
    };
  }

  test.each([
    ['raw', 'at the device'],
    ['qcow2', 'at the block node'],
  ])('%s, refused %s; released, it attaches', async (format) => {
    const image = format === 'raw' ? lab.image('locked.img') : qcow2('locked.qcow2');
    {
      await using _ = await lockedBy(format, image);
      for (const flags of [[], ['--read-only']]) {
        const error = await vms.plugRefused('source-locked', image, ...flags);
        expect(error).toMatchObject({
          message: expect.stringContaining(image),
          hint: expect.stringContaining('lslocks'),
        });
        expect(error.cause).toMatch(/lock/);
      }
    }
    await vms.plugWorks('one', image);
  });
});

describe('a format that has to be said', () => {
  test('qcow2 without a name that says so', async () => {
    const image = lab.path('looks-like-it.img');
    renameSync(qcow2('tmp.qcow2'), image);
    const error = await vms.plugRefused('source-unsuitable', image);
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      hint: expect.stringContaining('--format'),
    });
    await vms.plugWorks('one', image, '--format', 'qcow2');
  });

  test('another container, and a raw file that is called qcow2', async () => {
    const vmdk = lab.path('disk.vmdk');
    run('qemu-img', 'create', '-q', '-f', 'vmdk', vmdk, '16M');
    expect((await vms.plugRefused('source-unsuitable', vmdk)).hint).not.toBeNull();
    const raw = lab.image('raw.qcow2');
    expect((await vms.plugRefused('source-unsuitable', raw)).hint).not.toBeNull();
    await vms.plugRefused('source-unsuitable', lab.image('raw.img'), '--format', 'qcow2');
  });

  test('a qcow2 image whose backing file is missing', async () => {
    const base = qcow2('base.qcow2');
    const top = lab.path('top.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    renameSync(base, `${base}.away`);
    const error = await vms.plugRefused('source-unsuitable', top);
    expect(error).toMatchObject({
      reason: expect.stringContaining(base),
      hint: expect.stringContaining('rebase'),
    });
    renameSync(`${base}.away`, base);
    await vms.plugWorks('one', top);
  });
});

describe('a source that is attached already', () => {
  test('to this sandbox, by whatever name', async () => {
    const image = lab.image('twice.img');
    symlinkSync(image, lab.path('twice-link.img'));
    const { id } = await lab.ok<{ id: string }>(...plug('one', image));
    for (const source of [image, lab.path('twice-link.img'), lab.path('./twice.img')]) {
      for (const flags of source === image ? [[], ['--read-only'], ['--share-rw'], ['--force']] : [[]]) {
        const error = await vms.plugRefused('already-attached', source, ...flags);
        expect(error).toMatchObject({
          reason: expect.stringContaining(id),
          hint: expect.stringContaining(`detach one ${id}`),
        });
        expect(error.message).toContain(source);
      }
    }
    await lab.ok('detach', 'one', id);
  });

  test('to another sandbox: the holder is named, and forcing does not help', async () => {
    const image = lab.image('held.img');
    const { id } = await lab.ok<{ id: string }>(...plug('two', image));
    for (const flags of [[], ['--read-only'], ['--share-rw'], ['--force']]) {
      const error = await vms.plugRefused('claimed-elsewhere', image, ...flags);
      expect(error).toMatchObject({
        facts: { holder: 'two', device: id },
        hint: expect.stringContaining(`detach two ${id}`),
      });
      expect(`${error.message} ${JSON.stringify(error.facts)}`).toContain('two');
    }
    await lab.ok('detach', 'two', id);
    await vms.plugWorks('one', image);
  });

  test.each([
    ['raw', '--read-only'],
    ['qcow2', '--read-only'],
    ['raw', '--share-rw'],
  ])('%s may be in both with %s on both sides', async (format, flag) => {
    const image = format === 'raw' ? lab.image(`both${flag}.img`) : qcow2(`both${flag}.qcow2`);
    const first = await lab.ok<{ id: string }>(...plug('two', image, flag));
    await vms.plugRefused('claimed-elsewhere', image);
    await vms.plugWorks('one', image, flag);
    await lab.ok('detach', 'two', first.id);
  });

  test('qcow2 may not be shared for writing, with words that say why', async () => {
    const error = await vms.plugRefused('source-unsuitable', qcow2('shared.qcow2'), '--share-rw');
    expect(error.hint).toContain('--read-only');
  });
});

test('a device that is not there cannot be detached or inspected, whatever it is called', async () => {
  for (const name of [
    '0123456789abcdef',
    'a,b',
    'a\nb',
    '盘',
    'x'.repeat(10_000),
    '',
    '*',
    '%',
    '-x',
    '--',
  ]) {
    for (const args of [
      ['detach', '--', 'one', name],
      ['inspect', '--', name],
    ]) {
      const error = await refused(lab, 'device-not-found', ...args);
      expect(error.message.length).toBeLessThan(500);
      expect(error.hint).toContain('vmplug ls');
    }
  }
});
