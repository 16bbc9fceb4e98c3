import { describe, expect, test } from 'vitest';
import { hasCode } from '../api/errors.ts';
import type { FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { Bench, TestStore } from './bench.testing.ts';
import { expectGivenBack, expectLeased, groupOfTwo, KilledProcess, resolved } from './leases.testing.ts';
import { giveBackFreed } from './leases.ts';

describe('kill -9 at any point', () => {
  test('of an attach: the VM has the group, leased, or this host has it as before', async () => {
    const ends = new Set<string>();
    for (let at = 1; ; at += 1) {
      using world = freshWorld();
      const killed = new KilledProcess(world.bench, at);
      await world.bench.attach(await resolved(world.host), {}, killed.context).catch(notOurs);
      expectLeased(world.bench, world.host);
      const isDead = killed.isDead;
      killed.outlive();
      await world.nextCommand();
      ends.add(await world.takeOut());
      if (!isDead) break;
    }
    expect([...ends].sort()).toEqual(['attached', 'nothing']);
  });

  test('of a detach, or of what gives the group back: this host has it as before in the end', async () => {
    let at = 0;
    for (let isDead = true; isDead;) {
      at += 1;
      using world = freshWorld();
      const { id } = await world.bench.attach(await resolved(world.host));
      const killed = new KilledProcess(world.bench, at);
      await world.bench.detach(id, {}, killed.context).catch(notOurs);
      isDead = killed.isDead;
      killed.outlive();
      expectLeased(world.bench, world.host);
      // The next process is killed on its way too.
      const second = new KilledProcess(world.bench, Math.ceil(at / 2));
      await giveBackFreed({ ...world.bench.context, ...second.context }).catch(notOurs);
      second.outlive();
      await world.nextCommand();
      await world.takeOut();
    }
    expect(at).toBeGreaterThan(10);
  });
});

interface World extends Disposable {
  readonly bench: Bench;
  readonly host: FakeSysfs;
  nextCommand(): Promise<void>;
  /** Detaches what is attached, and sees that nothing is left. */
  takeOut(): Promise<'attached' | 'nothing'>;
}

function freshWorld(): World {
  const kept = new TestStore();
  const sysfs = groupOfTwo();
  const vm = new Bench(kept.store, { sysfs });
  return {
    bench: vm,
    host: sysfs,
    async nextCommand() {
      await vm.settle();
      await giveBackFreed(vm.context);
      expectLeased(vm, sysfs);
    },
    async takeOut() {
      const [attachment] = vm.attachments();
      if (attachment !== undefined) await vm.detach(attachment.id);
      expectGivenBack(vm, sysfs);
      return attachment === undefined ? 'nothing' : 'attached';
    },
    [Symbol.dispose]() {
      sysfs[Symbol.dispose]();
      kept[Symbol.dispose]();
    },
  };
}

/** The error of a killed process, or what comes of it. */
function notOurs(error: unknown): void {
  const isDeath = error instanceof Error && /dead/.test(error.message);
  if (!isDeath && !hasCode(error, 'outcome-unknown', 'source-unsuitable')) throw error;
}
