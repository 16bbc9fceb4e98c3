import type { MessagePoint } from '../../hypervisors/simulated/index.ts';
import { isBoundAsPlugged } from './agreement.testing.ts';
import type { Killer, Victim } from './victim.testing.ts';
import type { World } from './world.testing.ts';

/** A point on the way of a command: what happens there and the how many-th time, `device_add done 1`. */
export interface Target {
  readonly point: string;
  /** The guest has something to do there, and does it only after somebody has looked. */
  readonly guestWaits: boolean;
}

/** Counts the points that a victim gets to, and kills it at one of them. */
export class KilledAt implements Killer {
  /** All that it got to, in order. */
  readonly reached: string[] = [];
  /** It was killed while the guest had something to do. */
  wasPending = false;
  /** Points at which a function was in the VM while this host had a driver on it. */
  readonly unbound: string[] = [];
  readonly #world: World;
  readonly #target: Target | undefined;
  readonly #counts = new Map<string, number>();
  #isDead = false;

  constructor(world: World, target: Target | undefined) {
    this.#world = world;
    this.#target = target;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  reach(what: string): boolean {
    if (this.#isDead) return false;
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    const point = `${what} ${count}`;
    this.reached.push(point);
    if (!isBoundAsPlugged(this.#world)) this.unbound.push(point);
    if (point !== this.#target?.point) return false;
    this.#isDead = true;
    const { clock } = this.#world;
    this.wasPending = clock.isPending;
    if (this.#target.guestWaits) clock.wait();
    return true;
  }

  writeSysfs(path: string, text: string): Promise<void> {
    const { sysfs } = this.#world;
    return sysfs?.io.write(path, text) ?? Promise.reject(new Error('this host has no functions'));
  }

  /** Kills it at messages of the VMM too. What it had sent behind that point is lost with it. */
  watch(victim: Victim): Disposable {
    const stop = this.#world.qemu.points.watch((point) => {
      if (!isOfInterest(point) || !this.reach(`${point.name} ${point.phase}`)) return undefined;
      return victim.kill().then(() => 'drop' as const);
    });
    return { [Symbol.dispose]: stop };
  }
}

/** A question changes nothing: that it is answered is the one point that it has. */
const question = /^(query-|x-query-|qom-|device-list-properties|qmp_capabilities)/;

function isOfInterest({ name, phase }: MessagePoint): boolean {
  return phase === 'after' || !question.test(name);
}
