import * as fc from 'fast-check';
import { expect } from 'vitest';
import { VmplugError, type ErrorCode } from '../api/index.ts';
import { rootPorts } from '../hypervisors/simulated/index.ts';
import type { Store } from '../store/store.ts';
import { Bench, deadProcess } from './bench.testing.ts';

/** One thing that happens in a history of two sandboxes and a few disks. */
export type Happening =
  | { readonly what: 'attach' | 'detach' | 'guest ejects'; readonly vm: number; readonly disk: number }
  | { readonly what: 'pause' | 'resume' | 'settle'; readonly vm: number }
  | { readonly what: 'guest turns'; readonly vm: number; readonly to: 'lets-go' | 'refuses' | 'ignores' }
  | {
      /** The process dies before or after an exchange of an attach or detach. */
      readonly what: 'killed';
      readonly vm: number;
      readonly disk: number;
      readonly doing: 'attach' | 'detach';
      readonly at: string;
      readonly before: boolean;
    };

const disks = 4;
const vm = fc.nat(1);
const disk = fc.nat(disks - 1);
const stages = ['status', 'blockdev-add', 'device_add', 'observe', 'device_del', 'blockdev-del'];

export const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('attach' as const), vm, disk }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('detach' as const), vm, disk }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('guest ejects' as const), vm, disk }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('pause' as const, 'resume' as const, 'settle' as const),
      vm,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('guest turns' as const),
      vm,
      to: fc.constantFrom('lets-go' as const, 'refuses' as const, 'ignores' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('killed' as const),
      vm,
      disk,
      doing: fc.constantFrom('attach' as const, 'detach' as const),
      at: fc.constantFrom(...stages),
      before: fc.boolean(),
    }),
  },
);

/** Two sandboxes on one store, and what a simple model expects of them. */
export class World {
  readonly benches: readonly Bench[];
  /** In which sandbox a disk is recorded, by the model. */
  readonly #held = new Map<number, number>();
  readonly #ids = new Set<string>();
  #dead = false;

  constructor(store: Store) {
    const write: Store['write'] = (work) => {
      if (this.#dead) throw new Error('the process is dead');
      return store.write(work);
    };
    const mortal: Store = {
      read: (work) => store.read(work),
      write,
      writeSoon: write,
      [Symbol.dispose]: () => undefined,
    };
    this.benches = ['vm1', 'vm2'].map((name) => new Bench(mortal, { name, buses: rootPorts(3) }));
  }

  async happen(happening: Happening): Promise<void> {
    const bench = this.benches[happening.vm] ?? expect.fail('no such VM');
    switch (happening.what) {
      case 'attach':
        await this.#attach(bench, happening.vm, happening.disk);
        break;
      case 'detach':
        await this.#detach(bench, happening.vm, happening.disk);
        break;
      case 'guest ejects':
        this.#eject(bench, happening.disk);
        await this.#settle(bench, happening.vm);
        break;
      case 'pause':
        bench.machine.pause();
        break;
      case 'resume':
        bench.machine.resume();
        await this.#settle(bench, happening.vm);
        break;
      case 'settle':
        await this.#settle(bench, happening.vm);
        break;
      case 'guest turns':
        bench.machine.guest = { ...bench.machine.guest, onUnplug: happening.to };
        break;
      case 'killed':
        await this.#kill(bench, happening);
        break;
    }
    this.check();
  }

  /** Everything is let go, and nothing is left. */
  async end(): Promise<void> {
    for (const [index, bench] of this.benches.entries()) {
      bench.machine.guest = { onPlug: 'live', onUnplug: 'lets-go' };
      bench.machine.resume();
      await this.#settle(bench, index);
      for (const { id } of bench.attachments()) await bench.detach(id);
    }
    for (const bench of this.benches)
      for (let each = 0; each < disks; each += 1) bench.expectNothingLeft(`${each}`);
  }

  check(): void {
    for (const [index, bench] of this.benches.entries()) {
      bench.expectSound();
      const recorded = bench.attachments().map(({ source }) => source);
      const expected = [...this.#held].filter(([, holder]) => holder === index);
      expect(recorded.sort()).toEqual(expected.map(([each]) => `/images/${each}`).sort());
      this.#checkNames(bench);
    }
  }

  async #attach(bench: Bench, index: number, each: number): Promise<void> {
    const holder = this.#held.get(each);
    const isFull = [...this.#held.values()].filter((other) => other === index).length === 3;
    const paused = bench.machine.status === 'paused';
    const expected: ErrorCode | undefined = paused
      ? 'vm-paused'
      : isFull
        ? 'no-free-place'
        : holder === undefined
          ? undefined
          : holder === index
            ? 'already-attached'
            : 'claimed-elsewhere';
    expect(await outcome(bench.attach(`${each}`))).toBe(expected ?? 'done');
    if (expected === undefined) this.#held.set(each, index);
  }

  async #detach(bench: Bench, index: number, each: number): Promise<void> {
    const id = this.#idOf(bench, each);
    if (id === undefined) return;
    const guest = bench.machine.guest.onUnplug;
    const paused = bench.machine.status === 'paused';
    const expected = paused ? 'vm-paused' : ends[guest];
    expect(await outcome(bench.detach(id, { timeoutMs: guest === 'ignores' ? 3 : 5_000 }))).toBe(expected);
    if (expected === 'done' && this.#held.get(each) === index) this.#held.delete(each);
  }

  /** The guest lets go of a device by itself: known at once when a request stands, else by the doctor. */
  #eject(bench: Bench, each: number): void {
    const attachment = bench.attachments().find(({ source }) => source === `/images/${each}`);
    if (attachment?.state === 'detaching') bench.machine.letGo(attachment.plan.vmmId);
  }

  async #settle(bench: Bench, index: number): Promise<void> {
    await bench.settle();
    for (const [each, holder] of this.#held) {
      if (holder === index && this.#idOf(bench, each) === undefined) this.#held.delete(each);
    }
    const leaving = bench.machine.devices.map(({ id }) => id);
    const vmmIds = bench.attachments().map(({ plan }) => plan.vmmId);
    expect(vmmIds.sort(), 'after a settle the records are what the VM has').toEqual(leaving.sort());
    bench.expectSound();
    bench.expectNoStrayNodes();
  }

  /** From `at` on neither records nor commands get through; then a new process settles. */
  async #kill(
    bench: Bench,
    { vm, disk, doing, at, before }: Extract<Happening, { what: 'killed' }>,
  ): Promise<void> {
    const stop = bench.machine.onExchange((name) => {
      if (name !== at || this.#dead) return;
      this.#dead = true;
      for (const stage of [...stages, 'buses', 'inventory']) {
        bench.machine.fail({
          on: stage,
          do: 'unsent',
          times: Number.POSITIVE_INFINITY,
          after: stage === name && !before ? 1 : 0,
        });
      }
    });
    const id = this.#idOf(bench, disk);
    const context = { owner: deadProcess };
    if (doing === 'attach') await bench.attach(`${disk}`, {}, context).catch(() => undefined);
    else if (id !== undefined) await bench.detach(id, { timeoutMs: 3 }, context).catch(() => undefined);
    stop();
    this.#dead = false;
    bench.machine.faults.clear();
    await bench.settle();
    // What became of it nobody could foretell; from here on it has to stay that way.
    const isHeld = this.#idOf(bench, disk) !== undefined;
    if (isHeld) this.#held.set(disk, vm);
    else if (this.#held.get(disk) === vm) this.#held.delete(disk);
    await this.#settle(bench, vm);
  }

  #idOf(bench: Bench, each: number): string | undefined {
    return bench.attachments().find(({ source }) => source === `/images/${each}`)?.id;
  }

  /** No id is used twice in the life of a VM. */
  #checkNames(bench: Bench): void {
    const added = bench.machine.log.filter(({ command }) => command.execute === 'device_add');
    const names = added.map(({ command }) => JSON.stringify(command.arguments?.['id']));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) this.#ids.add(`${bench.machine.name}/${name}`);
    const unique = new Set([...this.#ids].map((name) => name.split('/')[1]));
    expect(unique.size).toBe(this.#ids.size);
  }
}

const ends = { 'lets-go': 'done', refuses: 'unplug-refused', ignores: 'deadline-passed' } as const;

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof VmplugError) return error.code;
    throw error;
  }
}
