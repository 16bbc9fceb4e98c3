import { availableParallelism } from 'node:os';
import { expect } from 'vitest';
import { hasCode } from '../../api/errors.ts';
import { expectAgreement } from './agreement.testing.ts';
import { KilledAt, type Target } from './killed-at.testing.ts';
import type { PluggedKind } from './kinds.testing.ts';
import type { Victim } from './victim.testing.ts';
import type { Job } from './victim-words.testing.ts';
import { limits, World } from './world.testing.ts';

/** How a command that was killed at a point ended after the recovery. */
export interface Row {
  readonly target: Target;
  /** `commit`: what the next command did; `doctor`: what `doctor --repair` did. */
  readonly first: 'command' | 'doctor';
  readonly end: 'attached' | 'detaching' | 'nothing';
}

export interface Matrix {
  readonly rows: readonly Row[];
  /** Points that no run got to again. */
  readonly missed: readonly string[];
}

/**
 * Kills a command at every point on its way, and checks the invariant after each. The points are those that
 * the command, and every run of it, gets to: nobody lists them.
 * @param isWanted leaves points out
 */
export async function crashMatrix(
  kind: PluggedKind,
  action: Job['action'],
  nextVictim: () => Victim,
  isWanted: (target: Target) => boolean = () => true,
): Promise<Matrix> {
  const known = new Set<string>();
  const waiting: Target[] = [];
  const add = (target: Target): void => {
    const key = `${target.point} ${target.guestWaits}`;
    if (known.has(key) || !isWanted(target)) return;
    known.add(key);
    waiting.push(target);
  };
  const rows: Row[] = [];
  const missed: string[] = [];
  for (const point of await walk(kind, action, nextVictim())) add({ point, guestWaits: false });
  while (waiting.length > 0) {
    const batch = waiting.splice(0, availableParallelism());
    const runs = batch.map((target, index) =>
      run(kind, action, target, nextVictim(), (rows.length + index) % 2 === 0 ? 'doctor' : 'command'),
    );
    // One that fails leaves the others to their end, so that nothing of them is left.
    await Promise.allSettled(runs);
    for (const { killer, row, target } of await Promise.all(runs)) {
      for (const point of killer.reached) add({ point, guestWaits: false });
      if (row === undefined) missed.push(target.point);
      else rows.push(row);
      if (killer.wasPending) add({ point: target.point, guestWaits: true });
    }
  }
  return { rows, missed };
}

/** Lets a command go to its end; returns the points on its way. */
async function walk(kind: PluggedKind, action: Job['action'], child: Victim): Promise<string[]> {
  await using world = await worldBefore(kind, action);
  await using victim = child;
  const killer = new KilledAt(world, undefined);
  using _ = killer.watch(victim);
  const end = await victim.carryOut(world.job(action), killer);
  expect(end).toBe(action === 'detach' && kind.stays === true ? 'unsupported' : 'done');
  expectAgreement(world);
  return killer.reached;
}

interface Run {
  readonly target: Target;
  readonly killer: KilledAt;
  /** Undefined when it did not get to the point. */
  readonly row: Row | undefined;
}

async function run(
  kind: PluggedKind,
  action: Job['action'],
  target: Target,
  child: Victim,
  wanted: Row['first'],
): Promise<Run> {
  await using victim = child;
  await using world = await worldBefore(kind, action);
  const killer = new KilledAt(world, target);
  try {
    {
      using _ = killer.watch(victim);
      const end = await victim.carryOut(world.job(action), killer);
      expect(end === 'killed', `it ended: ${end}`).toBe(killer.isDead);
    }
    expect(killer.unbound, 'points with a function in two places').toEqual([]);
    if (!killer.isDead) return { target, killer, row: undefined };
    const first = target.guestWaits ? 'doctor' : wanted;
    const end = await recover(world, action, first);
    await takeOut(world);
    return { target, killer, row: { target, first, end } };
  } catch (error) {
    throw new Error(
      `killed in ${action} at "${target.point}"${target.guestWaits ? ', the guest waits' : ''}`,
      {
        cause: error,
      },
    );
  }
}

async function worldBefore(kind: PluggedKind, action: Job['action']): Promise<World> {
  const world = await World.make(kind);
  if (action === 'detach') await world.command('attach');
  return world;
}

/** vmplug is started again: the next command and `doctor --repair`, whichever comes first. */
async function recover(world: World, action: Job['action'], first: Row['first']): Promise<Row['end']> {
  // Whichever comes first is enough: the other one has nothing left to mend.
  if (first === 'command') await again(world, action);
  else await repair(world);
  expectAgreement(world);
  world.clock.goOn();
  await repair(world);
  const [record] = expectAgreement(world);
  if (first === 'doctor') await again(world, action);
  // What is on its way out is detached once more.
  if (expectAgreement(world).every(({ state }) => state === 'attached')) await expectNoFindings(world);
  return record === undefined ? 'nothing' : record.state === 'detaching' ? 'detaching' : 'attached';
}

async function repair(world: World): Promise<void> {
  await using vmplug = world.open();
  await vmplug.doctor({ ...limits, repair: true });
}

async function expectNoFindings(world: World): Promise<void> {
  await using vmplug = world.open();
  expect(await vmplug.doctor(limits)).toEqual([]);
}

/** The same command once more: it does what is left to do, or says that it is done. */
async function again(world: World, action: Job['action']): Promise<void> {
  try {
    await world.command(action);
  } catch (error) {
    const isDone = hasCode(error, action === 'attach' ? 'already-attached' : 'device-not-found');
    if (!isDone && !(world.kind.stays === true && hasCode(error, 'unsupported'))) throw error;
  }
}

/** Nothing is in the way of what comes then; nothing is left in the end. */
async function takeOut(world: World): Promise<void> {
  if (world.kind.stays === true) return;
  if (expectAgreement(world).length === 0) await world.command('attach');
  await world.command('detach');
  expect(expectAgreement(world)).toEqual([]);
  await expectNoFindings(world);
}
