import type {
  DeviceEvent,
  ExchangeOptions,
  PluggedDevice,
  GuestNames,
  Hypervisor,
  Inventory,
  Observation,
  UnplugPolicy,
  UnplugReply,
  VmmFacts,
  VmmRefusal,
  VmStatus,
} from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import { ownPrefix } from '../../api/names.ts';
import type { Bus, Place } from '../../api/place.ts';
import type { Command } from '../../api/plan.ts';
import { vfioRefusalOf } from '../qemu/vfio-refusals.ts';
import type { FaultKind } from './faults.ts';
import { pluggedDevice } from './plugged-device.ts';
import { guestAddress } from './guest-address.ts';
import { givenUp, lost, means, Refusal, refused, unsent, vmGone } from './simulated-errors.ts';
import type { SimulatedMachine } from './simulated-machine.ts';
import { guestNames } from './simulated-names.ts';
import { waitInVain } from './wait-in-vain.ts';

/**
 * A connection to a {@link SimulatedMachine}: a whole `Hypervisor` without a VMM, for tests of
 * what is built on that interface. Like the real ones it makes a new connection by itself when
 * it was lost, and knows the buses as they were when it looked.
 *
 * ```ts
 * const machine = new SimulatedMachine({ guest: { onUnplug: 'ignores' } });
 * const hypervisor = new SimulatedHypervisor(machine);
 * machine.fail({ on: 'device_add', do: 'lose', executed: true });
 * ```
 */
export class SimulatedHypervisor implements Hypervisor {
  readonly machine: SimulatedMachine;
  readonly #deviceListeners = new Map<string, Set<(event: DeviceEvent) => void>>();
  readonly #lostListeners = new Set<() => void>();
  readonly #stop = new DisposableStack();
  #buses: Bus[] | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(machine: SimulatedMachine) {
    this.machine = machine;
    this.#stop.defer(machine.onEvent((device, event) => this.#hear(device, event)));
    this.#stop.defer(machine.onDeath(() => this.#lose()));
  }

  get facts(): VmmFacts {
    return this.machine.facts;
  }

  /** How many listeners are there: none when nothing is under way. */
  get listeners(): number {
    return [...this.#deviceListeners.values()].reduce(
      (sum, each) => sum + each.size,
      this.#lostListeners.size,
    );
  }

  async status(options: ExchangeOptions): Promise<VmStatus> {
    return this.#exchange('status', options, () => this.machine.status);
  }

  async buses(options: ExchangeOptions & { readonly fresh?: boolean }): Promise<Bus[]> {
    if (options.fresh === true) this.#buses = undefined;
    if (this.#buses !== undefined) return this.#buses;
    this.#buses = await this.#exchange('buses', options, () => this.machine.buses());
    return this.#buses;
  }

  submit(commands: readonly Command[], options: ExchangeOptions): Promise<JsonValue>[] {
    const batch: Batch = {};
    return commands.map((command) =>
      this.#exchange(command.execute, options, () => this.machine.execute(command), batch),
    );
  }

  async requestUnplug(command: Command, options: ExchangeOptions): Promise<UnplugReply> {
    try {
      await Promise.all(this.submit([command], options));
      return 'requested';
    } catch (error) {
      if (means(error, 'not-found')) return 'gone';
      if (error instanceof Error && /already in the process of unplug/.test(error.message)) return 'pending';
      if (error instanceof Error && /guest is busy/.test(error.message)) return 'busy';
      throw error;
    }
  }

  unplugPolicy(place: Place): UnplugPolicy {
    return this.machine.unplugPolicy(place);
  }

  async observe(vmmId: string, _place: Place, options: ExchangeOptions): Promise<Observation> {
    return this.#exchange('observe', options, () => {
      const device = this.machine.device(vmmId);
      if (device === undefined) return { present: false, best: 'live', guest: {} };
      const backend = this.machine.backEnds.chardevs.connection(vmmId);
      return {
        present: true,
        evidence: device.evidence,
        best: device.best,
        guest: guestAddress(device),
        ...(backend === undefined ? {} : { backend }),
      };
    });
  }

  async inventory(options: ExchangeOptions): Promise<Inventory> {
    return this.#exchange('inventory', options, () => ({
      devices: this.machine.devices.map(({ id }) => id),
      backends: this.machine.backEnds.names,
    }));
  }

  async foreignDevices(options: ExchangeOptions): Promise<readonly PluggedDevice[]> {
    return this.#exchange('foreignDevices', options, () =>
      this.machine.devices.filter(({ id }) => !id.startsWith(ownPrefix)).map(pluggedDevice),
    );
  }

  async describeDevices(ids: readonly string[], options: ExchangeOptions): Promise<readonly PluggedDevice[]> {
    return this.#exchange('describeDevices', options, () =>
      this.machine.devices.filter(({ id }) => ids.includes(id)).map(pluggedDevice),
    );
  }

  async guestNames(options: ExchangeOptions): Promise<GuestNames> {
    return this.#exchange('guestNames', options, () => guestNames(this.machine.devices));
  }

  isAlreadyReleased(error: unknown): boolean {
    return means(error, 'not-found');
  }

  isStillInUse(error: unknown): boolean {
    return means(error, 'in-use');
  }

  /** The machine has QEMU's words. */
  refusalOf(error: unknown): VmmRefusal | undefined {
    return vfioRefusalOf(error);
  }

  isPlaceTaken(error: unknown): boolean {
    return means(error, 'place-taken');
  }

  isLocked(error: unknown): boolean {
    return means(error, 'locked');
  }

  isNotVhostUser(error: unknown): boolean {
    return means(error, 'not-vhost-user');
  }

  onDeviceEvent(vmmId: string, listener: (event: DeviceEvent) => void): () => void {
    const listeners = this.#deviceListeners.get(vmmId) ?? new Set();
    this.#deviceListeners.set(vmmId, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** There is only one client here. */
  async giveWay(): Promise<void> {
    return Promise.resolve();
  }

  onLost(listener: () => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.dispose();
  }

  /** One exchange: in order, in a later turn, and struck by whatever fault is armed for it. */
  async #exchange<T>(name: string, options: ExchangeOptions, work: () => T, batch: Batch = {}): Promise<T> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    // The next exchange begins when this one has been worked on, not when it was answered.
    try {
      if (options.signal?.aborted === true) throw givenUp(name, this.machine.name, false, 'aborted');
      if (batch.cutOff !== undefined) throw batch.cutOff(name, this.machine.name);
      if (this.machine.isEnded) throw vmGone(name, this.machine.name);
      this.machine.announce(name);
      // Whoever was told may have ended it, with the command on its way.
      if (this.machine.isEnded) throw lost(name, this.machine.name);
      return await this.#answer(name, work, this.machine.faults.strike(name), options, batch, resolve);
    } finally {
      resolve();
    }
  }

  async #answer<T>(
    name: string,
    work: () => T,
    fault: FaultKind | undefined,
    options: ExchangeOptions,
    batch: Batch,
    worked: () => void,
  ): Promise<T> {
    switch (fault?.do) {
      case undefined:
        return this.#carryOut(name, work);
      case 'refuse':
        throw refused(name, this.machine.name, new Refusal(fault.text, fault.meaning, fault.class));
      case 'unsent':
        batch.cutOff = unsent;
        this.#lose();
        throw unsent(name, this.machine.name);
      case 'lose':
        if (fault.executed) ignoreRefusal(work);
        batch.cutOff = lost;
        this.#lose();
        throw lost(name, this.machine.name);
      case 'no-answer':
        if (fault.executed) ignoreRefusal(work);
        worked();
        throw givenUp(name, this.machine.name, true, await waitInVain(options, fault.waitMs));
    }
  }

  #carryOut<T>(name: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw error instanceof Refusal ? refused(name, this.machine.name, error) : error;
    }
  }

  #hear(device: string, event: DeviceEvent): void {
    if (event === 'removed') this.#buses = this.#buses?.map((bus) => vacated(bus, device));
    for (const listener of this.#deviceListeners.get(device) ?? []) listener(event);
  }

  #lose(): void {
    this.#buses = undefined;
    for (const listener of this.#lostListeners) listener();
  }
}

/** What the commands that left together share: a lost connection cuts off all that follow. */
interface Batch {
  cutOff?: typeof lost;
}

function ignoreRefusal(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    // It went wrong, and nobody will hear of it.
    if (!(error instanceof Refusal)) throw error;
  }
}

function vacated(bus: Bus, device: string): Bus {
  return { ...bus, taken: new Map([...bus.taken].filter(([, occupant]) => occupant !== device)) };
}
