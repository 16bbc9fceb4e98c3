import * as fc from 'fast-check';
import { expect } from 'vitest';
import { VmplugError, type ErrorCode } from '../api/index.ts';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { HostDevice } from '../api/host-device.ts';
import { unitsOf } from '../api/plan.ts';
import { rootPorts } from '../hypervisors/simulated/index.ts';
import type { Store } from '../store/store.ts';
import { Bench, deadProcess, testDisk } from './bench.testing.ts';
import { GroupHost } from './histories-host.testing.ts';
import { testGroup, testSocket } from './hosts.testing.ts';
import { giveBackFreed } from './leases.ts';
import { settleAttachment } from './settle.ts';

/**
 * One thing that happens in a history of two sandboxes, a few disks, an IOMMU group of two functions
 * on a driver of the host, and a network card that another program serves. `device` counts through these.
 */
export type Happening =
  | { readonly what: 'attach' | 'detach'; readonly vm: number; readonly device: number }
  | {
      /** The guest lets go of a device, or of one function of a group, asked or not. */
      readonly what: 'guest ejects';
      readonly vm: number;
      readonly device: number;
      readonly unit: number;
    }
  | { readonly what: 'pause' | 'resume' | 'settle'; readonly vm: number }
  | {
      /** The guest has a way of its own to treat one function of the group. */
      readonly what: 'function turns';
      readonly vm: number;
      readonly unit: number;
      readonly to: Answer;
    }
  | { readonly what: 'guest turns'; readonly vm: number; readonly to: Answer }
  | {
      /** The process dies before or after an exchange of an attach or detach, or a write to sysfs. */
      readonly what: 'killed';
      readonly vm: number;
      readonly device: number;
      readonly doing: 'attach' | 'detach';
      readonly at: string;
      readonly before: boolean;
    };

/** What the guest does when it is asked to let go. */
type Answer = 'lets-go' | 'refuses' | 'ignores';

/** What there is to plug; each disk and each function takes a port, of which a VM has four. */
const hosts: readonly HostDevice[] = [
  ...['0', '1', '2'].map((name) => testDisk(name)),
  testGroup('7', 2),
  testSocket('vhost-user-net', 'net'),
];
const ports = 4;
const theGroup = hosts.findIndex(({ kind }) => kind === 'vfio');

const vm = fc.nat(1);
const device = fc.nat(hosts.length - 1);
const unit = fc.nat(1);
const to = fc.constantFrom('lets-go' as const, 'refuses' as const, 'ignores' as const);
const stages = [
  'status',
  'blockdev-add',
  'chardev-add',
  'netdev_add',
  'device_add',
  'observe',
  'device_del',
  'netdev_del',
  'chardev-remove',
  'blockdev-del',
];
const sysfsWrite = 'sysfs';

export const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('attach' as const), vm, device }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('detach' as const), vm, device }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('guest ejects' as const), vm, device, unit }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('function turns' as const), vm, unit, to }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('pause' as const, 'resume' as const, 'settle' as const),
      vm,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('guest turns' as const), vm, to }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('killed' as const),
      vm,
      device,
      doing: fc.constantFrom('attach' as const, 'detach' as const),
      at: fc.constantFrom(...stages, sysfsWrite, sysfsWrite),
      before: fc.boolean(),
    }),
  },
);

/** Two sandboxes on one store, and what a simple model expects of them. */
export class World implements Disposable {
  readonly benches: readonly Bench[];
  /** In which sandbox a device is recorded, by the model. */
  readonly #held = new Map<number, number>();
  readonly #ids = new Set<string>();
  /** How the guest treats what it treats in a way of its own, by the VMM's name of it. */
  readonly #answers = new Map<string, Answer>();
  readonly #host = new GroupHost();
  readonly #store: Store;
  #dead = false;

  constructor(store: Store) {
    this.#store = store;
    const write: Store['write'] = (work) => {
      if (this.#dead) throw new Error('the process is dead');
      return store.write(work);
    };
    const mortal: Store = {
      read: (work) => store.read(work),
      write,
      writeSoon: write,
      writeTogether: async (work) => write(work),
      [Symbol.dispose]: () => undefined,
    };
    const sysfs = this.#host.sysfs({ isDead: () => this.#dead, die: () => (this.#dead = true) });
    this.benches = ['vm1', 'vm2'].map((name) => new Bench(mortal, { name, buses: rootPorts(ports), sysfs }));
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }

  async happen(happening: Happening): Promise<void> {
    const bench = this.benches[happening.vm] ?? expect.fail('no such VM');
    switch (happening.what) {
      case 'attach':
        await this.#attach(bench, happening.vm, happening.device);
        break;
      case 'detach':
        await this.#detach(bench, happening.vm, happening.device);
        break;
      case 'guest ejects':
        await this.#eject(bench, happening.device, happening.unit);
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
      case 'function turns':
        this.#turn(bench, happening.unit, happening.to);
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
      for (const { id } of bench.machine.devices) bench.machine.behave(id, { onUnplug: 'lets-go' });
      bench.machine.resume();
      await this.#settle(bench, index);
      for (const { id } of bench.attachments()) await bench.detach(id);
    }
    for (const bench of this.benches) {
      for (const { source } of hosts) bench.expectNothingLeft(source);
      expect(bench.machine.backEnds.names).toEqual([]);
    }
    this.#host.expectAsBefore(this.#store);
  }

  check(): void {
    for (const [index, bench] of this.benches.entries()) {
      // QEMU aborts when the back end of a network card goes before the card.
      expect(bench.machine.isEnded, 'the VM has ended').toBe(false);
      bench.expectSound();
      const recorded = bench.attachments().map(({ source }) => source);
      const expected = [...this.#held].filter(([, holder]) => holder === index);
      expect(recorded.sort()).toEqual(expected.map(([each]) => hostAt(each).source).sort());
      this.#checkNames(bench);
    }
    this.#host.check(this.#store, this.#held.has(theGroup));
  }

  async #attach(bench: Bench, index: number, each: number): Promise<void> {
    const holder = this.#held.get(each);
    const isFull = bench.attachments().flatMap(unitsOf).length + widthOf(hostAt(each)) > ports;
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
    // The same name each time: what the VM was told of it has to differ all the same.
    const id = `${index}${each}`.padStart(16, '0');
    expect(await outcome(bench.attach(hostAt(each), { id }))).toBe(expected ?? 'done');
    if (expected === undefined) this.#held.set(each, index);
  }

  async #detach(bench: Bench, index: number, each: number): Promise<void> {
    const attachment = this.#attachmentOf(bench, each);
    if (attachment === undefined) return;
    const answer = this.#answerOf(bench, attachment);
    const paused = bench.machine.status === 'paused';
    const expected = paused ? 'vm-paused' : ends[answer];
    const timeoutMs = answer === 'ignores' ? 3 : 5_000;
    expect(await outcome(bench.detach(attachment.id, { timeoutMs }))).toBe(expected);
    if (expected === 'done' && this.#held.get(each) === index) this.#held.delete(each);
  }

  /** What becomes of asking for all of a device: who is silent decides, then who refuses. */
  #answerOf({ machine }: Bench, attachment: AttachmentRecord): Answer {
    const answers = unitsOf(attachment)
      .filter(({ vmmId }) => machine.device(vmmId) !== undefined)
      .map(({ vmmId }) => this.#answers.get(vmmId) ?? machine.guest.onUnplug);
    return (
      answers.find((answer) => answer === 'ignores') ??
      answers.find((each) => each === 'refuses') ??
      'lets-go'
    );
  }

  #turn(bench: Bench, unit: number, to: Answer): void {
    const attachment = this.#attachmentOf(bench, theGroup);
    const vmmId = attachment && unitsOf(attachment)[unit]?.vmmId;
    if (vmmId === undefined) return;
    this.#answers.set(vmmId, to);
    bench.machine.behave(vmmId, { onUnplug: to });
  }

  /** The guest lets go of a device, asked or not; what was not asked for the doctor finds out. */
  async #eject(bench: Bench, each: number, unit: number): Promise<void> {
    const attachment = this.#attachmentOf(bench, each);
    if (attachment === undefined) return;
    const units = unitsOf(attachment);
    const { vmmId } = units[unit] ?? units[0] ?? expect.fail('an attachment without a device');
    if (bench.machine.device(vmmId) !== undefined) bench.machine.letGo(vmmId);
    await settleAttachment(bench.context, attachment.id);
  }

  async #settle(bench: Bench, index: number): Promise<void> {
    await bench.settle();
    await giveBackFreed(bench.context);
    for (const [each, holder] of this.#held) {
      if (holder === index && this.#attachmentOf(bench, each) === undefined) this.#held.delete(each);
    }
    const present = new Set(bench.machine.devices.map(({ id }) => id));
    for (const attachment of bench.attachments()) {
      const units = unitsOf(attachment).filter(({ vmmId }) => present.has(vmmId));
      expect(units.length, 'after a settle the VM has something of each record').toBeGreaterThan(0);
    }
    bench.expectSound();
    bench.expectNoStrayNodes();
  }

  /** From `at` on neither records nor commands get through; then a new process settles. */
  async #kill(
    bench: Bench,
    { vm, device, doing, at, before }: Extract<Happening, { what: 'killed' }>,
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
    this.#host.lastWrite = at === sysfsWrite ? { before } : undefined;
    const id = this.#attachmentOf(bench, device)?.id;
    const context = { owner: deadProcess };
    const name = { id: `${vm}${device}`.padStart(16, '0') };
    if (doing === 'attach') await bench.attach(hostAt(device), name, context).catch(() => undefined);
    else if (id !== undefined) await bench.detach(id, { timeoutMs: 3 }, context).catch(() => undefined);
    stop();
    this.#host.lastWrite = undefined;
    this.#dead = false;
    bench.machine.faults.clear();
    await bench.settle();
    await giveBackFreed(bench.context);
    // What became of it nobody could foretell; from here on it has to stay that way.
    const isHeld = this.#attachmentOf(bench, device) !== undefined;
    if (isHeld) this.#held.set(device, vm);
    else if (this.#held.get(device) === vm) this.#held.delete(device);
    await this.#settle(bench, vm);
  }

  #attachmentOf(bench: Bench, each: number): AttachmentRecord | undefined {
    return bench.attachments().find(({ source }) => source === hostAt(each).source);
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

function hostAt(index: number): HostDevice {
  return hosts[index] ?? expect.fail('no such host device');
}

/** How many ports it takes. */
function widthOf(host: HostDevice): number {
  return host.kind === 'vfio' ? host.functions.length : 1;
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
