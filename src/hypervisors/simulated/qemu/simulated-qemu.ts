import { randomInt } from 'node:crypto';
import type { JsonObject, JsonValue } from '../../../api/json.ts';
import type { VmmFacts } from '../../../api/hypervisor.ts';
import type { Command } from '../../../api/plan.ts';
import { hasQuirk } from '../../qemu/quirks.ts';
import { wordsOf100, wordsOf72, type MachineWords } from '../machine-words.ts';
import { textOf } from '../device-arguments.ts';
import type { HostFunctionState } from '../host-functions.ts';
import { SimulatedMachine } from '../simulated-machine.ts';
import { VirtualClock, type Clock } from './clock.ts';
import { defaultGuest, SimulatedGuest, type GuestSettings } from './guest.ts';
import { machineShape, type MachineShape, type ShapeOptions } from './machine-shape.ts';
import { ObjectTree } from './object-tree.ts';
import { questions } from './questions.ts';
import { versionText, type QemuVersion } from './recorded-qemu.ts';

export interface SimulatedQemuOptions extends ShapeOptions {
  readonly name?: string;
  /** A virtual one of its own by default. */
  readonly clock?: Clock;
  readonly guest?: Partial<GuestSettings>;
  /** `up` by default; `booting` until `boot` is called; `not-started` as with `-S`. */
  readonly state?: 'up' | 'booting' | 'not-started';
  /** What the host lets it have through VFIO: everything by default. */
  readonly functions?: readonly HostFunctionState[];
  /** By default one that no thread of this host has. */
  readonly cpuThread?: number;
}

/** An event as it goes over the wire, without its time. */
export interface SimulatedEvent {
  readonly event: string;
  readonly data?: JsonObject;
}

/** Linux gives no thread this number or a higher one (proc_sys_kernel(5), `pid_max`). */
const mostThreads = 2 ** 22;

/**
 * A VM as QMP shows it, without a socket: commands in, answers and events out. Pure but for its
 * clock.
 */
export class SimulatedQemu {
  readonly name: string;
  readonly clock: Clock;
  readonly machine: SimulatedMachine;
  readonly guest: SimulatedGuest;
  /** What tells this VM from every other: the thread of its first CPU. */
  readonly #cpuThread: number;
  readonly #shape: MachineShape;
  readonly #words: MachineWords;
  readonly #tree: ObjectTree;
  readonly #listeners = new Set<(event: SimulatedEvent) => void>();
  readonly #commands: ReadonlyMap<string, () => void>;

  constructor(options: SimulatedQemuOptions = {}) {
    const { name = 'simulated', clock = new VirtualClock(), state = 'up' } = options;
    this.#cpuThread = options.cpuThread ?? randomInt(mostThreads, 2 * mostThreads);
    this.name = name;
    this.clock = clock;
    this.#shape = machineShape(options);
    const { recording, buses } = this.#shape;
    const facts = factsOf(this.#shape);
    this.#words = { ...wordsFor(facts.version), properties: (model) => propertiesOf(recording, model) };
    this.guest = new SimulatedGuest(
      () => this.machine,
      clock,
      { ...defaultGuest, ...options.guest },
      { isUp: state === 'up', earlyUnplugBlocks: hasQuirk(facts.version, 'early-acpi-unplug-blocks') },
    );
    this.machine = new SimulatedMachine({
      ...{ name, facts, buses, words: this.#words, guestModel: this.guest },
      ...(options.functions === undefined ? {} : { functions: options.functions }),
      status: state === 'not-started' ? 'not-started' : 'running',
    });
    this.#tree = new ObjectTree(this.#shape, this.machine);
    this.machine.onEvent((device, event) => this.#hear(device, event));
    this.#commands = new Map([
      ['stop', () => this.stop()],
      ['cont', () => this.cont()],
      ['system_reset', () => this.reset('host-qmp-system-reset')],
      ['quit', () => this.shutDown('host-qmp-quit')],
    ]);
  }

  get version(): QemuVersion {
    return this.#shape.recording.version;
  }

  /** Hears every event; returns what stops it. */
  onEvent(listener: (event: SimulatedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Carries out one command.
   * @throws Refusal
   */
  execute(command: Command): JsonValue {
    const { execute, arguments: args = {} } = command;
    const question = questions.get(execute);
    if (question !== undefined) {
      return question(args, {
        ...{ shape: this.#shape, machine: this.machine, tree: this.#tree, words: this.#words },
        cpuThread: this.#cpuThread,
        status: () => this.#status(),
        isGuestUp: () => this.guest.isUp,
      });
    }
    const own = this.#commands.get(execute);
    if (own === undefined) return this.#change(command);
    own();
    return {};
  }

  /** The guest stands still. */
  stop(): void {
    if (this.machine.status !== 'running') return;
    this.machine.pause();
    this.#say('STOP');
  }

  /** The guest goes on, or begins. */
  cont(): void {
    if (this.machine.status === 'running') return;
    this.machine.resume();
    this.#say('RESUME');
    this.guest.resumed();
  }

  /** The VM begins anew. `reason` is of QEMU's ShutdownCause: `guest-reset`, `host-qmp-system-reset`. */
  reset(reason = 'guest-reset'): void {
    this.#say('RESET', { guest: reason.startsWith('guest-'), reason });
    this.guest.reset();
  }

  /** QEMU ends: `guest-shutdown`, `host-qmp-quit`, `host-signal`. */
  shutDown(reason = 'guest-shutdown'): void {
    if (this.machine.isEnded) return;
    this.#say('SHUTDOWN', { guest: reason.startsWith('guest-'), reason });
    this.machine.die();
  }

  #change(command: Command): JsonValue {
    const { execute, arguments: args = {} } = command;
    const reply = this.machine.execute(command);
    const id = args['id'];
    const device = typeof id === 'string' ? this.machine.device(id) : undefined;
    if (execute === 'device_add' && device !== undefined) this.#tree.plugged(device);
    return reply;
  }

  #status(): { status: string; running: boolean } {
    const said = { running: 'running', paused: 'paused', 'not-started': 'prelaunch', ended: 'shutdown' };
    const { status } = this.machine;
    return { status: said[status], running: status === 'running' };
  }

  #hear(device: string, event: 'removed' | 'removal-refused'): void {
    const path = `/machine/peripheral/${device}`;
    if (event === 'removal-refused') return this.#say('DEVICE_UNPLUG_GUEST_ERROR', { device, path });
    const inner = `${path}/virtio-backend`;
    if (this.#tree.left(device)) this.#say('DEVICE_DELETED', { path: inner });
    this.#say('DEVICE_DELETED', { device, path });
  }

  #say(event: string, data?: JsonObject): void {
    const said = data === undefined ? { event } : { event, data };
    for (const listener of this.#listeners) listener(said);
  }
}

function factsOf({ recording }: MachineShape): VmmFacts {
  return {
    type: 'qemu',
    version: versionText(recording.version),
    machine: textOf(recording.objects['/machine']?.values ?? {}, 'type').replace(/-machine$/, ''),
    features: recording.types.map((model) => `device:${model}`),
  };
}

function wordsFor(version: string): MachineWords {
  return Number(version.split('.')[0]) >= 10 ? wordsOf100 : wordsOf72;
}

function propertiesOf(
  { properties }: MachineShape['recording'],
  model: string,
): ReadonlyMap<string, string> | undefined {
  const line = properties[model];
  if (line === undefined) return undefined;
  return new Map(
    line.split(' ').map((property) => {
      const at = property.indexOf(':');
      return [property.slice(0, at), property.slice(at + 1)];
    }),
  );
}
