import type {
  DeviceEvent,
  ExchangeOptions,
  PluggedDevice,
  GuestNames,
  Hypervisor,
  Inventory,
  Observation,
  ObserveOptions,
  UnplugPolicy,
  UnplugReply,
  VmmFacts,
  VmmRefusal,
  VmStatus,
} from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Bus, Place } from '../../api/place.ts';
import type { Command, PeerCheck } from '../../api/plan.ts';
import { descriptorSender } from '../../host/sys/send-descriptor.ts';
import { submitChecked } from './checked-peer.ts';
import { DeviceModels } from './device-models.ts';
import { discoverBuses } from './discover.ts';
import { readForeignDevices, readNamedDevices } from './plugged-devices.ts';
import { readGuestNames } from './guest-names.ts';
import { readInventory } from './inventory.ts';
import { LiveBuses } from './live-buses.ts';
import { observe } from './observe.ts';
import { isCurrent, probe } from './probe.ts';
import { devicesOf, QmpClient, type QmpEvent } from './qmp/index.ts';
import { hasQuirk } from './quirks.ts';
import {
  isAlreadyReleased,
  isLocked,
  isNotVhostUser,
  isPlaceTaken,
  isStillInUse,
  unplugReplyOf,
} from './refusals.ts';
import { readReply, statusReply } from './replies.ts';
import { describeBuses } from './topology.ts';
import { firstCpuThread, refuseAnotherVm, type AskQemu } from './vmm-thread.ts';
import { vfioRefusalOf } from './vfio-refusals.ts';

/** What QEMU's run states mean for a guest that should answer (qapi/run-state.json). */
const notRunning: Readonly<Record<string, VmStatus>> = {
  prelaunch: 'not-started',
  inmigrate: 'not-started',
  shutdown: 'ended',
};

const statusEvents = new Set(['STOP', 'RESUME', 'SHUTDOWN', 'RESET', 'SUSPEND', 'WAKEUP', 'GUEST_PANICKED']);

export interface ConnectOptions extends ExchangeOptions {
  readonly facts?: VmmFacts;
  /** The most milliseconds that QEMU is given for a command, whatever its caller would wait. */
  readonly patienceMs?: number | undefined;
}

/**
 * QEMU over QMP. Holds one connection and makes a new one when it was lost: what happened in
 * between is then asked for, because events of that time are gone.
 */
export class QemuHypervisor implements Hypervisor {
  readonly facts: VmmFacts;
  readonly #client: QmpClient;
  readonly #patienceMs: number;
  readonly #deviceListeners = new Map<string, Set<(event: DeviceEvent) => void>>();
  readonly #buses = new LiveBuses();
  readonly #models = new DeviceModels();
  #status: VmStatus | undefined;
  #statusChanges = 0;

  private constructor(client: QmpClient, facts: VmmFacts, patienceMs = Infinity) {
    this.#client = client;
    this.#patienceMs = patienceMs;
    this.facts = facts;
    client.onEvent((event) => this.#take(event));
    // What events would have told of the time in between has to be asked for.
    client.onLost(() => this.#forget());
    client.onReconnect(() => this.#forget());
  }

  /**
   * Connects to a QMP socket. `facts` spares the questions that were asked of this VM before,
   * unless fewer were asked then; where they say which VM it was, every connection is made sure to lead to it.
   * @throws VmplugError as `QmpConnection.connect`; `vm-replaced`, also by what needs a connection later
   */
  static async connect(socket: string, options: ConnectOptions): Promise<QemuHypervisor> {
    let thread = options.facts?.thread;
    const client = new QmpClient(socket, {
      connectTimeoutMs: options.timeoutMs,
      check: async (connection, limits) => {
        const ask: AskQemu = (command) => connection.execute(command, {}, limits);
        if (thread !== undefined) await refuseAnotherVm(ask, socket, thread);
      },
    });
    try {
      await client.connect(options);
      const kept = options.facts !== undefined && isCurrent(options.facts) ? options.facts : undefined;
      if (kept !== undefined) return new QemuHypervisor(client, kept, options.patienceMs);
      const [facts, found] = await Promise.all([
        probe((commands, limits) => client.batch(commands, limits), options),
        firstCpuThread((command) => client.execute(command, {}, options)),
      ]);
      thread = found;
      const known = { ...facts, ...(found === undefined ? {} : { thread: found }) };
      return new QemuHypervisor(client, known, options.patienceMs);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  async status(options: ExchangeOptions): Promise<VmStatus> {
    if (this.#status !== undefined) return this.#status;
    const changes = this.#statusChanges;
    const reply = readReply(
      statusReply,
      await this.#ask({ execute: 'query-status' }, options),
      'query-status',
    );
    const status = reply.running ? 'running' : (notRunning[reply.status] ?? 'paused');
    // An event that came right behind the reply is newer than it.
    if (changes === this.#statusChanges) this.#status = status;
    return status;
  }

  /** Walks the machine once and keeps the picture up to date by events; `fresh` walks again. */
  async buses(options: ExchangeOptions & { readonly fresh?: boolean }): Promise<Bus[]> {
    if (options.fresh === true) this.#buses.forget();
    return this.#buses.get(async () =>
      describeBuses(
        await discoverBuses((commands, limits) => this.submit(commands, limits), options),
        this.facts.machine,
      ),
    );
  }

  submit(commands: readonly Command[], given: ExchangeOptions): Promise<JsonValue>[] {
    const options = this.#within(given);
    this.#models.learn(commands);
    const peer = commands.find((command) => command.peer !== undefined)?.peer;
    if (peer === undefined) return this.#client.batch(commands, options);
    return submitChecked((checked, limits) => this.#client.batch(checked, limits), commands, peer, options);
  }

  async peerChecks(): Promise<readonly PeerCheck['afterwards'][]> {
    return (await descriptorSender()) === undefined ? ['leave'] : ['leave', 'hand-over'];
  }

  async requestUnplug(command: Command, options: ExchangeOptions): Promise<UnplugReply> {
    try {
      await this.#ask(command, options);
      return 'requested';
    } catch (error) {
      const reply = unplugReplyOf(error);
      if (reply === undefined) throw error;
      return reply;
    }
  }

  unplugPolicy(place: Place): UnplugPolicy {
    switch (place.unplug) {
      case 'acpi':
        return hasQuirk(this.facts.version, 'early-acpi-unplug-blocks')
          ? { waitForGuest: true }
          : { waitForGuest: false, repeatAfterMs: 1000 };
      case 'pcie-native':
        // A second press within the guest's 5 s would cancel the first.
        return { waitForGuest: false, repeatAfterMs: 10_000 };
      case 'immediate':
        return { waitForGuest: false };
    }
  }

  async observe(vmmId: string, place: Place, options: ObserveOptions): Promise<Observation> {
    const device = { vmmId, place, model: this.#models.get(vmmId) };
    return observe((commands, limits) => this.submit(commands, limits), this.facts, device, options);
  }

  async inventory(options: ExchangeOptions): Promise<Inventory> {
    return readInventory((commands, limits) => this.submit(commands, limits), options);
  }

  async foreignDevices(options: ExchangeOptions): Promise<readonly PluggedDevice[]> {
    return readForeignDevices((commands, limits) => this.submit(commands, limits), options);
  }

  async describeDevices(ids: readonly string[], options: ExchangeOptions): Promise<readonly PluggedDevice[]> {
    return readNamedDevices((commands, limits) => this.submit(commands, limits), ids, options);
  }

  async guestNames(options: ExchangeOptions): Promise<GuestNames> {
    return readGuestNames((commands, limits) => this.submit(commands, limits), options);
  }

  isAlreadyReleased(error: unknown): boolean {
    return isAlreadyReleased(error);
  }

  isStillInUse(error: unknown): boolean {
    return isStillInUse(error);
  }

  isLocked(error: unknown): boolean {
    return isLocked(error);
  }

  refusalOf(error: unknown): VmmRefusal | undefined {
    return vfioRefusalOf(error);
  }

  isPlaceTaken(error: unknown): boolean {
    return isPlaceTaken(error);
  }

  isNotVhostUser(error: unknown): boolean {
    return isNotVhostUser(error);
  }

  onDeviceEvent(vmmId: string, listener: (event: DeviceEvent) => void): () => void {
    const listeners = this.#deviceListeners.get(vmmId) ?? new Set();
    this.#deviceListeners.set(vmmId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#deviceListeners.get(vmmId) === listeners) {
        this.#deviceListeners.delete(vmmId);
      }
    };
  }

  onLost(listener: () => void): () => void {
    return this.#client.onLost(listener);
  }

  async giveWay(): Promise<void> {
    await this.#client.giveWay();
  }

  /** Ends QEMU (`quit`): as pulling the plug of the guest. */
  async quit(options: ExchangeOptions): Promise<void> {
    await this.#ask({ execute: 'quit' }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #ask(command: Command, options: ExchangeOptions): Promise<JsonValue> {
    return this.#client.execute(command.execute, command.arguments, this.#within(options));
  }

  #within(options: ExchangeOptions): ExchangeOptions {
    return { ...options, timeoutMs: Math.min(options.timeoutMs, this.#patienceMs) };
  }

  #forget(): void {
    this.#forgetStatus();
    this.#buses.forget();
  }

  #forgetStatus(): void {
    this.#status = undefined;
    this.#statusChanges += 1;
  }

  #take(event: QmpEvent): void {
    if (statusEvents.has(event.event)) this.#forgetStatus();
    const said = deviceEvents[event.event];
    if (said === undefined) return;
    for (const device of devicesOf(event)) {
      if (said === 'removed') {
        this.#buses.vacate(device);
        this.#models.forget(device);
      }
      for (const listener of this.#deviceListeners.get(device) ?? []) listener(said);
    }
  }
}

const deviceEvents: Readonly<Record<string, DeviceEvent>> = {
  DEVICE_DELETED: 'removed',
  DEVICE_UNPLUG_GUEST_ERROR: 'removal-refused',
  MEM_UNPLUG_ERROR: 'removal-refused',
};
