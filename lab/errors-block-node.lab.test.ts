import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lab } from './harness.ts';
import { run, TwoVms, works } from './two-vms.testing.ts';

const isRoot = process.getuid?.() === 0;

let vms: TwoVms;
let lab: Lab;

beforeAll(async () => {
  vms = await TwoVms.start();
  ({ lab } = vms);
});
afterAll(() => vms[Symbol.asyncDispose]());

describe.skipIf(!isRoot)('a block node that this host uses', () => {
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
    const error = await vms.plugRefused('source-in-use', node);
    expect(error).toMatchObject({
      message: expect.stringContaining(node),
      hint: expect.stringContaining('--force'),
    });
    expect(error.reason).toContain(said);
    await vms.plugWorks('one', node, '--force');
  }

  test('mounted', async () => {
    using on = loop('mounted.img');
    await vms.plugWorks('one', on.node);
    const point = mount(on, on.node, 'mount-1');
    await refusedUnlessForced(on.node, point);
    await refusedUnlessForced(lab.path('mounted.img'), point);
  });

  test('swap space', async () => {
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

  test('with a partition that is mounted', async () => {
    using on = loop('parts.img');
    for (const number of ['1', '2']) {
      run('addpart', on.node, number, String(Number(number) * 8192), '8192');
      on.undo('delpart', on.node, number);
    }
    run('mkfs.ext4', '-q', `${on.node}p1`);
    const point = mount(on, `${on.node}p1`, 'mount-2');
    await refusedUnlessForced(on.node, point);
    await vms.plugRefused('source-in-use', `${on.node}p1`);
    await vms.plugWorks('one', `${on.node}p2`);
  });

  test('and --force takes nothing but that', async () => {
    const missing = lab.path('not there');
    await vms.plugRefused('source-not-found', missing, '--force');
    await vms.plugRefused('source-unsuitable', lab.image('zero.img', 0), '--force');
  });
});
