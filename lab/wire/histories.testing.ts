import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { VmplugError } from '../../src/api/errors.ts';
import { RealClock } from '../../src/hypervisors/simulated/qemu/clock.ts';
import { startSimulatedQemu, type StartedSimulatedQemu } from '../../src/hypervisors/simulated/qemu/start.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { FaultProxy } from './fault-proxy.ts';
import { diskCount, messageAt, vmCount, type WireCall, type WireHappening } from './happenings.testing.ts';

interface Vm {
  readonly name: string;
  readonly qemu: StartedSimulatedQemu;
  readonly proxy: FaultProxy;
}

/** For what goes well, however busy this host is. */
const clean = { timeoutMs: 60_000 };

/**
 * Two simulated QEMUs behind proxies, one state directory, and two clients with a `Vmplug` each.
 * The model is in which VM a disk is.
 */
class WireWorld implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #directory: string;
  readonly #vms: Vm[] = [];
  readonly #clients: Vmplug[] = [];
  readonly #held = new Map<number, number>();

  private constructor() {
    this.#directory = this.#stack.adopt(mkdtempSync(join(tmpdir(), 'vmplug-wire-')), (path) =>
      rmSync(path, { recursive: true, force: true }),
    );
  }

  static async start(): Promise<WireWorld> {
    const world = new WireWorld();
    for (let index = 0; index < vmCount; index += 1) await world.#startVm(`vm${index}`);
    for (let index = 0; index < diskCount; index += 1) {
      writeFileSync(world.#image(index), '');
      truncateSync(world.#image(index), 1 << 20);
    }
    world.#clients.push(world.#open(), world.#open());
    for (const { name, proxy } of world.#vms) await world.#client(0).adopt(name, proxy.path, clean);
    return world;
  }

  async happen(happening: WireHappening): Promise<void> {
    switch (happening.what) {
      case 'call':
        await this.#expectCall(happening);
        break;
      case 'at once':
        await Promise.all(happening.calls.map((call) => outcome(this.#do(this.#client(call.client), call))));
        await this.#adopt();
        break;
      case 'goes wrong':
        await this.#goWrong(happening);
        break;
      case 'reopen':
        await this.#client(happening.client)[Symbol.asyncDispose]();
        this.#clients[happening.client] = this.#open();
        break;
      case 'eject':
        this.#eject(happening.vm, happening.disk);
        await this.#adopt();
        break;
      case 'reboot':
        await this.#reboot(this.#vm(happening.vm));
        await this.#adopt();
        break;
      case 'pause':
        this.#vm(happening.vm).qemu.vm.stop();
        break;
      case 'resume':
        this.#vm(happening.vm).qemu.vm.cont();
        await this.#adopt();
        break;
    }
    this.#check();
  }

  /** Everything is let go, and nothing is left. */
  async end(): Promise<void> {
    for (const { qemu } of this.#vms) qemu.vm.cont();
    await this.#adopt();
    for (const { id, sandbox } of this.#client(0).list()) {
      const end = await outcome(this.#client(0).detach(sandbox, id, clean));
      expect(['done', 'device-not-found']).toContain(end);
    }
    this.#held.clear();
    this.#check();
    expect(await this.#client(1).doctor(clean)).toEqual([]);
    for (const { qemu } of this.#vms) expect(qemu.vm.machine.backEnds.names).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }

  async #expectCall(call: WireCall): Promise<void> {
    const holder = this.#held.get(call.disk);
    const isPaused = this.#vm(call.vm).qemu.vm.machine.status === 'paused';
    const isHere = holder === call.vm;
    const isFree = holder === undefined;
    const attach = isPaused
      ? 'vm-paused'
      : isFree
        ? 'done'
        : isHere
          ? 'already-attached'
          : 'claimed-elsewhere';
    const detach = !isHere ? 'device-not-found' : isPaused ? 'vm-paused' : 'done';
    const expected = call.doing === 'attach' ? attach : detach;
    expect(await outcome(this.#do(this.#client(call.client), call)), call.doing).toBe(expected);
    if (expected !== 'done') return;
    if (call.doing === 'attach') this.#held.set(call.disk, call.vm);
    else this.#held.delete(call.disk);
  }

  /** One more client, whose conversation goes wrong. */
  async #goWrong({
    vm,
    disk,
    message,
    fault,
  }: Extract<WireHappening, { what: 'goes wrong' }>): Promise<void> {
    const holder = this.#held.get(disk);
    const doing = holder === undefined ? 'attach' : 'detach';
    const call = { doing, vm: holder ?? vm, disk, client: 2 } as const;
    const { proxy } = this.#vm(call.vm);
    proxy.arm({ at: messageAt(doing, message), fault });
    const stateDir = join(this.#directory, 'state');
    {
      await using unlucky = Vmplug.open({ stateDir, lingerMs: 0, vmmPatienceMs: 400 });
      await outcome(this.#do(unlucky, call, 800));
    }
    proxy.arm();
    await this.#adopt();
  }

  #do(client: Vmplug, { doing, vm, disk }: WireCall, timeoutMs = clean.timeoutMs): Promise<unknown> {
    const { name } = this.#vm(vm);
    const image = this.#image(disk);
    return doing === 'attach'
      ? client.attach(name, image, { timeoutMs })
      : client.detach(name, image, { timeoutMs });
  }

  /** The guest lets go of a disk that nobody asked it for. */
  #eject(vm: number, disk: number): void {
    const { machine } = this.#vm(vm).qemu.vm;
    const found = this.#client(0)
      .list(this.#vm(vm).name)
      .find(({ source }) => source === this.#image(disk));
    if (found !== undefined && machine.device(found.plan.vmmId) !== undefined)
      machine.letGo(found.plan.vmmId);
  }

  async #reboot({ qemu: { vm } }: Vm): Promise<void> {
    // A paused guest comes up when it goes on.
    if (vm.machine.status !== 'running') return;
    vm.reset();
    while (!vm.guest.isUp) await sleep(1);
  }

  /** A doctor looks until records and VMs agree; what nobody could foretell is the model's from then on. */
  async #adopt(): Promise<void> {
    const until = performance.now() + clean.timeoutMs;
    for (;;) {
      await this.#client(0).doctor({ ...clean, repair: true });
      // A guest that was asked and runs lets go in a moment.
      const isLeaving = this.#vms.some(
        ({ qemu: { vm } }) =>
          vm.machine.status === 'running' && vm.machine.devices.some(({ leaving }) => leaving),
      );
      if ((!isLeaving && this.#disagreement() === undefined) || performance.now() > until) break;
      await sleep(5);
    }
    this.#held.clear();
    for (const { source, sandbox } of this.#client(1).list()) {
      const disk = Array.from({ length: diskCount }, (_, index) => this.#image(index)).indexOf(source);
      expect(this.#held.has(disk), 'a disk that is had twice').toBe(false);
      this.#held.set(
        disk,
        this.#vms.findIndex(({ name }) => name === sandbox),
      );
    }
  }

  #check(): void {
    expect(this.#disagreement()).toBeUndefined();
    const recorded = this.#client(1).list();
    expect(recorded.map(({ sandbox, source }) => `${sandbox} ${source}`).sort()).toEqual(
      [...this.#held].map(([disk, vm]) => `${this.#vm(vm).name} ${this.#image(disk)}`).sort(),
    );
    for (const { qemu } of this.#vms) {
      const added = qemu.vm.machine.log.filter(({ command }) => command.execute === 'device_add');
      const names = added.map(({ command }) => JSON.stringify(command.arguments?.['id']));
      expect(new Set(names).size, 'no name comes twice').toBe(names.length);
    }
  }

  /** What the records say and a VM does not, or the other way round. */
  #disagreement(): unknown {
    for (const { name, qemu } of this.#vms) {
      const recorded = this.#client(1)
        .list(name)
        .map(({ plan }) => plan.vmmId)
        .sort();
      const devices = qemu.vm.machine.devices.map(({ id }) => id).sort();
      const nodes = qemu.vm.machine.nodes.names.filter((node) => !node.endsWith('-f')).sort();
      if (String(recorded) !== String(devices) || String(recorded) !== String(nodes)) {
        return { name, recorded, devices, nodes };
      }
    }
    return undefined;
  }

  async #startVm(name: string): Promise<void> {
    const directory = join(this.#directory, name);
    mkdirSync(directory);
    const guest = { takesMs: 2, answersMs: 2, bootsMs: 5 };
    const qemu = this.#stack.use(
      await startSimulatedQemu({ name, ports: diskCount + 1, clock: new RealClock(), guest }),
    );
    const proxy = this.#stack.use(await FaultProxy.start(join(directory, 'qmp'), qemu.socket));
    this.#vms.push({ name, qemu, proxy });
  }

  #open(): Vmplug {
    return Vmplug.open({ stateDir: join(this.#directory, 'state'), lingerMs: 0 });
  }

  #image(disk: number): string {
    return join(this.#directory, `disk${disk}.img`);
  }

  #vm(index: number): Vm {
    return this.#vms[index] ?? expect.fail('no such VM');
  }

  #client(index: number): Vmplug {
    return this.#clients[index] ?? expect.fail('no such client');
  }
}

/** Histories that have begun; one that a time limit interrupts goes on, and has to be waited for. */
export class Histories {
  #last: Promise<void> = Promise.resolve();

  live(history: readonly WireHappening[]): Promise<void> {
    this.#last = this.#live(history);
    return this.#last;
  }

  /** Resolves when nothing of the last one is left. */
  async ended(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  async #live(history: readonly WireHappening[]): Promise<void> {
    await using world = await WireWorld.start();
    for (const happening of history) await world.happen(happening);
    await world.end();
  }
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof VmplugError) return error.code;
    throw error;
  }
}
