import { expect } from 'vitest';
import type { ErrorCode } from '../api/index.ts';
import type { AttachmentRecord } from '../api/attachment.ts';
import { unitsOf } from '../api/plan.ts';
import { rootPorts, SimulatedHypervisor } from '../hypervisors/simulated/index.ts';
import type { Store } from '../store/store.ts';
import { Bench, deadProcess } from './bench.testing.ts';
import {
  callAtOnce,
  dieAt,
  endDuring,
  mortalStore,
  outcome,
  reboot,
  UsedNames,
} from './histories-disturbances.testing.ts';
import {
  hostAt,
  hosts,
  ports,
  sysfsWrite,
  theGroup,
  widthOf,
  type Answer,
  type ClientCall,
  type Happening,
} from './histories-happenings.testing.ts';
import { GroupHost } from './histories-host.testing.ts';
import { giveBackFreed } from './leases.ts';
import { settleAttachment } from './settle.ts';

/** Two sandboxes on one store, and what a simple model expects of them. */
export class World implements Disposable {
  readonly benches: Bench[];
  /** In which sandbox a device is recorded, by the model. */
  readonly #held = new Map<number, number>();
  readonly #names = new UsedNames();
  /** How the guest treats what it treats in a way of its own, by the VMM's name of it. */
  readonly #answers = new Map<string, Answer>();
  readonly #host = new GroupHost();
  readonly #store: Store;
  readonly #make: (name: string) => Bench;
  #dead = false;

  constructor(store: Store) {
    this.#store = store;
    const mortal = mortalStore(store, () => this.#dead);
    const sysfs = this.#host.sysfs({ isDead: () => this.#dead, die: () => (this.#dead = true) });
    this.#make = (name) => new Bench(mortal, { name, buses: rootPorts(ports), sysfs });
    this.benches = ['vm1', 'vm2'].map(this.#make);
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }

  async happen(happening: Happening): Promise<void> {
    if (happening.what === 'at once') await this.#atOnce(happening.calls);
    else await this.#happenTo(this.#benchAt(happening.vm), happening);
    this.check();
  }

  async #happenTo(bench: Bench, happening: Exclude<Happening, { what: 'at once' }>): Promise<void> {
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
      case 'lost':
        await this.#lose(bench, happening);
        break;
      case 'vm ends':
        await this.#end(bench, happening);
        break;
      case 'reboot':
        reboot(bench.machine);
        await this.#settle(bench, happening.vm);
        break;
    }
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
      this.#names.check(bench.machine);
    }
    this.#host.check(this.#store, this.#held.has(theGroup));
  }

  async #attach(bench: Bench, index: number, each: number): Promise<void> {
    const holder = this.#held.get(each);
    const isFull = bench.attachments().flatMap(unitsOf).length + widthOf(hostAt(each)) > ports;
    const paused = bench.machine.status === 'paused';
    const expected: ErrorCode | undefined = paused
      ? 'vm-paused'
      : holder === index
        ? 'already-attached'
        : isFull
          ? 'no-free-place'
          : holder === undefined
            ? undefined
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
    const stop = dieAt(bench.machine, at, before, () => (this.#dead = true));
    this.#host.lastWrite = at === sysfsWrite ? { before } : undefined;
    await this.#do(bench, doing, vm, device, { owner: deadProcess }).catch(() => undefined);
    stop();
    this.#host.lastWrite = undefined;
    this.#dead = false;
    bench.machine.faults.clear();
    await this.#adopt(bench, vm, device);
  }

  /** The connection breaks or falls silent once; whoever comes next settles it. */
  async #lose(
    bench: Bench,
    { vm, device, doing, at, how, executed }: Extract<Happening, { what: 'lost' }>,
  ): Promise<void> {
    bench.machine.fail({ on: at, do: how, executed, waitMs: 3 });
    await outcome(this.#do(bench, doing, vm, device));
    bench.machine.faults.clear();
    await this.#adopt(bench, vm, device);
  }

  async #end(
    bench: Bench,
    { vm, device, doing, at }: Extract<Happening, { what: 'vm ends' }>,
  ): Promise<void> {
    await endDuring(bench, at, () => this.#do(bench, doing, vm, device));
    for (const [each, holder] of this.#held) if (holder === vm) this.#held.delete(each);
    this.benches[vm] = this.#make(bench.sandbox.name);
  }

  /** Every other client has a connection of its own. */
  async #atOnce(calls: readonly ClientCall[]): Promise<void> {
    const others = this.benches.map(({ machine }) => new SimulatedHypervisor(machine));
    const gained = await callAtOnce(calls, ({ client, vm, device, doing }) => {
      const hypervisor = client === 0 ? undefined : others[vm];
      const context = hypervisor === undefined ? {} : { hypervisor };
      return this.#do(this.#benchAt(vm), doing, vm, device, context);
    });
    const before = new Map(this.#held);
    for (const [index, bench] of this.benches.entries()) {
      for (const each of hosts.keys()) {
        const had = before.get(each) === index;
        const has = this.#attachmentOf(bench, each) !== undefined;
        expect(Number(has) - Number(had), 'what came and went').toBe(gained.get(`${index}/${each}`) ?? 0);
        if (has) this.#held.set(each, index);
        else if (had && this.#held.get(each) === index) this.#held.delete(each);
      }
    }
    for (const { listeners } of others) expect(listeners, 'listeners of another client').toBe(0);
    for (const other of others) await other[Symbol.asyncDispose]();
  }

  /** Attaches, or detaches what is there, with a short patience for the guest. */
  #do(
    bench: Bench,
    doing: 'attach' | 'detach',
    vm: number,
    device: number,
    context: Parameters<Bench['attach']>[2] = {},
  ): Promise<unknown> {
    const id = `${vm}${device}`.padStart(16, '0');
    if (doing === 'attach') return bench.attach(hostAt(device), { id }, context);
    return bench.detach(this.#attachmentOf(bench, device)?.id ?? id, { timeoutMs: 3 }, context);
  }

  /** What became of it nobody could foretell; from here on it has to stay that way. */
  async #adopt(bench: Bench, vm: number, device: number): Promise<void> {
    await bench.settle();
    await giveBackFreed(bench.context);
    const isHeld = this.#attachmentOf(bench, device) !== undefined;
    if (isHeld) this.#held.set(device, vm);
    else if (this.#held.get(device) === vm) this.#held.delete(device);
    await this.#settle(bench, vm);
  }

  #benchAt(vm: number): Bench {
    return this.benches[vm] ?? expect.fail('no such VM');
  }

  #attachmentOf(bench: Bench, each: number): AttachmentRecord | undefined {
    return bench.attachments().find(({ source }) => source === hostAt(each).source);
  }
}

const ends = { 'lets-go': 'done', refuses: 'unplug-refused', ignores: 'deadline-passed' } as const;
