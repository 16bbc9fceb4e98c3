import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ErrorCode } from '../src/api/error-codes.ts';
import {
  asNobody,
  changesNothing,
  refusalOf,
  refused,
  tellVmm,
  vmmHas,
  type Refusal,
} from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

const isRoot = process.getuid?.() === 0;
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

function works(program: string, ...args: string[]): boolean {
  try {
    run(program, ...args);
    return true;
  } catch {
    return false;
  }
}

/** Two VMs without a running guest: SCSI disks come and go without one. */
let lab: Lab;
let one: ForeignQemu;
let two: ForeignQemu;

beforeAll(async () => {
  lab = new Lab();
  [one, two] = await Promise.all([start('one'), start('two')]);
});
afterAll(async () => {
  await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
  await lab[Symbol.asyncDispose]();
});

async function start(name: string): Promise<ForeignQemu> {
  mkdirSync(lab.path(name));
  const vm = await startForeignQemu(lab.path(name), ['-S', '-device', 'virtio-scsi-pci,id=scsi0'], {
    waits: false,
  });
  await lab.ok('sandbox', 'adopt', name, '--qmp', vm.qmp);
  return vm;
}

const plug = (sandbox: string, source: string, ...flags: string[]): string[] => [
  ...['attach', sandbox, source, '--driver', 'virtio-scsi', '--wait', 'acknowledged', ...flags],
];

/** An attach to `one` that is refused, and leaves both VMs and the records as they were. */
function plugRefused(code: ErrorCode, source: string, ...flags: string[]): Promise<Refusal> {
  return changesNothing(lab, ['one', 'two'], () => refused(lab, code, ...plug('one', source, ...flags)));
}

/** An attach that works, and the detach after it. */
async function plugWorks(sandbox: string, source: string, ...flags: string[]): Promise<void> {
  const device = await lab.ok<{ id: string }>(...plug(sandbox, source, ...flags));
  await lab.ok('detach', sandbox, device.id);
}

function qcow2(name: string): string {
  const path = lab.path(name);
  run('qemu-img', 'create', '-q', '-f', 'qcow2', path, '16M');
  return path;
}

describe('a source that is no disk', () => {
  test('nothing by that name, also at the end of a link', async () => {
    const missing = lab.path('missing.img');
    expect((await plugRefused('source-not-found', missing)).message).toContain(missing);
    symlinkSync(missing, lab.path('link'));
    expect((await plugRefused('source-not-found', lab.path('link'))).reason).toContain('missing.img');
    await plugRefused('source-not-found', `${lab.image('file.img')}/below`);
    await plugRefused('invalid-argument', '');
    const long = await plugRefused('invalid-argument', `/${'x'.repeat(10_000)}`);
    expect(long.message.length).toBeLessThan(500);
  });

  test('a directory, an empty file, a character device, a socket', async () => {
    const directory = await plugRefused('source-unsuitable', lab.directory);
    expect(directory).toMatchObject({
      reason: expect.stringContaining('directory'),
      hint: expect.stringContaining('fs:'),
    });
    const empty = await plugRefused('source-unsuitable', lab.image('empty.img', 0));
    expect(empty).toMatchObject({
      reason: expect.stringContaining('empty'),
      hint: expect.stringContaining('truncate'),
    });
    expect((await plugRefused('source-unsuitable', '/dev/null')).reason).toContain('character device');
    expect((await plugRefused('source-unsuitable', one.qmp)).reason).toContain('socket');
  });

  test('a FIFO that nobody writes to, at once', async () => {
    const fifo = lab.path('fifo');
    run('mkfifo', fifo);
    const started = performance.now();
    const error = await plugRefused('source-unsuitable', fifo);
    expect(error).toMatchObject({ reason: expect.stringContaining('FIFO'), hint: expect.any(String) });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('links in a circle', async () => {
    symlinkSync(lab.path('round'), lab.path('round-1'));
    symlinkSync(lab.path('round-1'), lab.path('round'));
    expect((await plugRefused('source-unsuitable', lab.path('round'))).reason).toContain('circle');
  });

  test('kinds that the command line cannot plug yet, unless they are files of that name', async () => {
    for (const source of ['vfio:0000:00:01.0', 'fs:/srv', 'vhost-user-blk:/run/x.sock']) {
      const error = await plugRefused('unsupported', source);
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
      await plugWorks('one', lab.image(name));
    }
  });
});

describe('a source that may not be opened', () => {
  test.skipIf(!isRoot || !works('sh', '-c', 'command -v chattr'))(
    'an immutable file, also for root',
    async () => {
      const image = lab.image('immutable.img');
      run('chattr', '+i', image);
      try {
        const error = await plugRefused('source-unsuitable', image);
        expect(error).toMatchObject({
          message: expect.stringContaining(image),
          hint: expect.stringContaining('lsattr'),
        });
        await plugWorks('one', image, '--read-only');
      } finally {
        run('chattr', '-i', image);
      }
    },
  );

  test('another user’s file, as a user without rights', async ({ skip }) => {
    const image = lab.image('private.img');
    chmodSync(image, 0o600);
    for (const path of [lab.directory, lab.path('two')]) chmodSync(path, 0o711);
    chmodSync(two.qmp, 0o777);
    const state = lab.path('state-of-nobody');
    mkdirSync(state);
    if (isRoot) chownSync(state, 65_534, 65_534);
    const adopted = asNobody(lab, 'sandbox', 'adopt', 'two', '--qmp', two.qmp, '--state-dir', state);
    if (adopted === undefined) return skip('others may not read this checkout');
    expect(adopted).toMatchObject({ code: 0 });
    const had = await vmmHas(two.qmp);
    const result = asNobody(lab, ...plug('two', image, '--json', '--state-dir', state));
    const error = refusalOf(result ?? { code: -1, stdout: '', stderr: '' }, 'source-unsuitable');
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      hint: expect.stringContaining('mode'),
    });
    expect(await vmmHas(two.qmp)).toEqual(had);
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
    const error = await plugRefused('invalid-argument', lab.image('aio.img'), '--aio', 'native');
    expect(error.hint).toContain('--cache none');
  });
});

describe('an image that another QEMU has open for writing', () => {
  /** Plugs a disk into `two` past vmplug, which takes the image's lock. */
  async function lockedBy(format: string, filename: string): Promise<AsyncDisposable> {
    await tellVmm(
      two.qmp,
      ['blockdev-add', { driver: format, 'node-name': 'by-hand', file: { driver: 'file', filename } }],
      [
        'device_add',
        { driver: 'scsi-hd', id: 'by-hand', drive: 'by-hand', bus: 'scsi0.0', 'scsi-id': 7, lun: 7 },
      ],
    );
    return {
      [Symbol.asyncDispose]: async () => {
        await tellVmm(two.qmp, ['device_del', { id: 'by-hand' }]);
        // QEMU lets go of the node a moment after the device.
        await expect
          .poll(() =>
            tellVmm(two.qmp, ['blockdev-del', { 'node-name': 'by-hand' }]).then(Boolean, () => false),
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
        const error = await plugRefused('source-locked', image, ...flags);
        expect(error).toMatchObject({
          message: expect.stringContaining(image),
          hint: expect.stringContaining('lslocks'),
        });
        expect(error.cause).toMatch(/lock/);
      }
    }
    await plugWorks('one', image);
  });
});

describe('a format that has to be said', () => {
  test('qcow2 without a name that says so', async () => {
    const image = lab.path('looks-like-it.img');
    renameSync(qcow2('tmp.qcow2'), image);
    const error = await plugRefused('source-unsuitable', image);
    expect(error).toMatchObject({
      message: expect.stringContaining(image),
      hint: expect.stringContaining('--format'),
    });
    await plugWorks('one', image, '--format', 'qcow2');
  });

  test('another container, and a raw file that is called qcow2', async () => {
    const vmdk = lab.path('disk.vmdk');
    run('qemu-img', 'create', '-q', '-f', 'vmdk', vmdk, '16M');
    expect((await plugRefused('source-unsuitable', vmdk)).hint).not.toBeNull();
    const raw = lab.image('raw.qcow2');
    expect((await plugRefused('source-unsuitable', raw)).hint).not.toBeNull();
    await plugRefused('source-unsuitable', lab.image('raw.img'), '--format', 'qcow2');
  });

  test('a qcow2 image whose backing file is missing', async () => {
    const base = qcow2('base.qcow2');
    const top = lab.path('top.qcow2');
    run('qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top);
    renameSync(base, `${base}.away`);
    const error = await plugRefused('source-unsuitable', top);
    expect(error).toMatchObject({
      reason: expect.stringContaining(base),
      hint: expect.stringContaining('rebase'),
    });
    renameSync(`${base}.away`, base);
    await plugWorks('one', top);
  });
});

describe.skipIf(!isRoot || !works('losetup', '-f'))('a block node that this host uses', () => {
  /** A loop device on an image of its own with a file system; what was set up on it is taken down in reverse. */
  function loop(
    name: string,
  ): Disposable & { node: string; undo: (program: string, ...args: string[]) => void } {
    const image = lab.image(name);
    run('mkfs.ext4', '-q', image);
    const stack = new DisposableStack();
    const undo = (program: string, ...args: string[]): void => {
      stack.defer(() => run(program, ...args));
    };
    const node = run('losetup', '-f', '-P', '--show', image);
    undo('losetup', '-d', node);
    return { node, undo, [Symbol.dispose]: () => stack[Symbol.dispose]() };
  }

  function mount(on: ReturnType<typeof loop>, node: string, name: string): string {
    const point = lab.path(name);
    mkdirSync(point);
    run('mount', node, point);
    on.undo('umount', point);
    return point;
  }

  /** Refused with words about the use, taken with `--force`, and fine again once it is free. */
  async function refusedUnlessForced(node: string, said: string): Promise<void> {
    const error = await plugRefused('source-in-use', node);
    expect(error).toMatchObject({
      message: expect.stringContaining(node),
      hint: expect.stringContaining('--force'),
    });
    expect(error.reason).toContain(said);
    await plugWorks('one', node, '--force');
  }

  test('mounted', async () => {
    using on = loop('mounted.img');
    await plugWorks('one', on.node);
    const point = mount(on, on.node, 'mount-1');
    await refusedUnlessForced(on.node, point);
    await refusedUnlessForced(lab.path('mounted.img'), point);
  });

  test.skipIf(!works('swapon', '--version'))('swap space', async () => {
    using on = loop('swap.img');
    run('mkswap', on.node);
    run('swapon', on.node);
    on.undo('swapoff', on.node);
    await refusedUnlessForced(on.node, 'swap');
  });

  test.skipIf(!works('dmsetup', 'version'))('held by device-mapper', async () => {
    using on = loop('mapped.img');
    const name = `vmplug-test-${process.pid}`;
    run('dmsetup', 'create', name, '--table', `0 8192 linear ${on.node} 0`);
    on.undo('dmsetup', 'remove', name);
    await refusedUnlessForced(on.node, 'held by');
  });

  test.skipIf(!works('addpart', '--version'))('with a partition that is mounted', async () => {
    using on = loop('parts.img');
    for (const number of ['1', '2']) {
      run('addpart', on.node, number, String(Number(number) * 8192), '8192');
      on.undo('delpart', on.node, number);
    }
    run('mkfs.ext4', '-q', `${on.node}p1`);
    const point = mount(on, `${on.node}p1`, 'mount-2');
    await refusedUnlessForced(on.node, point);
    await plugRefused('source-in-use', `${on.node}p1`);
    await plugWorks('one', `${on.node}p2`);
  });

  test('and --force takes nothing but that', async () => {
    const missing = lab.path('not there');
    await plugRefused('source-not-found', missing, '--force');
    await plugRefused('source-unsuitable', lab.image('zero.img', 0), '--force');
  });
});

describe('a source that is attached already', () => {
  test('to this sandbox, by whatever name', async () => {
    const image = lab.image('twice.img');
    symlinkSync(image, lab.path('twice-link.img'));
    const { id } = await lab.ok<{ id: string }>(...plug('one', image));
    for (const source of [image, lab.path('twice-link.img'), lab.path('./twice.img')]) {
      for (const flags of source === image ? [[], ['--read-only'], ['--share-rw'], ['--force']] : [[]]) {
        const error = await plugRefused('already-attached', source, ...flags);
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
      const error = await plugRefused('claimed-elsewhere', image, ...flags);
      expect(error).toMatchObject({
        facts: { holder: 'two', device: id },
        hint: expect.stringContaining(`detach two ${id}`),
      });
      expect(`${error.message} ${JSON.stringify(error.facts)}`).toContain('two');
    }
    await lab.ok('detach', 'two', id);
    await plugWorks('one', image);
  });

  test.each([
    ['raw', '--read-only'],
    ['qcow2', '--read-only'],
    ['raw', '--share-rw'],
  ])('%s may be in both with %s on both sides', async (format, flag) => {
    const image = format === 'raw' ? lab.image(`both${flag}.img`) : qcow2(`both${flag}.qcow2`);
    const first = await lab.ok<{ id: string }>(...plug('two', image, flag));
    await plugRefused('claimed-elsewhere', image);
    await plugWorks('one', image, flag);
    await lab.ok('detach', 'two', first.id);
  });

  test('qcow2 may not be shared for writing, with words that say why', async () => {
    const error = await plugRefused('source-unsuitable', qcow2('shared.qcow2'), '--share-rw');
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
