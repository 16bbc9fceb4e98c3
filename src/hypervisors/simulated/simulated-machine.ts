import { VmplugError } from '../../api/errors.ts';
import { evidenceLevels, type Evidence } from '../../api/evidence.ts';
import type { DeviceEvent, UnplugPolicy, VmmFacts, VmStatus } from '../../api/hypervisor.ts';
import type { JsonObject, JsonValue } from '../../api/json.ts';
import { placeKey, type Bus, type Place } from '../../api/place.ts';
import type { Command } from '../../api/plan.ts';
import { BlockLayer } from './block-layer.ts';
import { isAt, taken, textOf } from './device-arguments.ts';
import { Faults, type Fault } from './faults.ts';
import { describeSimulatedBuses, placesOf, rootPorts, type SimulatedBus } from './simulated-buses.ts';
import {
  simulatedFacts,
  type GuestBehaviour,
  type SimulatedDevice,
  type SimulatedMachineOptions,
} from './machine-options.ts';
import { Refusal } from './simulated-errors.ts';

/**
 * A VM without a VM, for tests: it keeps block nodes and devices as QEMU does, and its guest
 * does what it is told. Time plays no part; a guest that is to answer later answers when
 * {@link advance} or {@link letGo} is called.
 *
 * Invariants: a place has one device at most; a device that left is never seen again; an event
 * is said once, to those who listen then.
 */
export class SimulatedMachine {
  readonly name: string;
  readonly facts: VmmFacts;
  readonly nodes = new BlockLayer();
  readonly faults = new Faults();
  /** Every command that the machine carried out or refused, in order. */
  readonly log: { readonly command: Command; readonly refused?: string }[] = [];
  readonly unplugPolicy: (place: Place) => UnplugPolicy;
  /** Events are not delivered, as while no connection is up. */
  eventsLost = false;
  guest: GuestBehaviour;
  readonly #behaviours = new Map<string, Partial<GuestBehaviour>>();
  readonly #buses: readonly SimulatedBus[];
  readonly #devices = new Map<string, SimulatedDevice>();
  readonly #listeners = new Set<(device: string, event: DeviceEvent) => void>();
  readonly #deathListeners = new Set<() => void>();
  readonly #watchers = new Set<(name: string) => void>();
  #status: VmStatus;

  constructor(options: SimulatedMachineOptions = {}) {
    this.name = options.name ?? 'simulated';
    this.facts = options.facts ?? simulatedFacts;
    this.#buses = options.buses ?? [
      ...rootPorts(4),
      { transport: 'scsi', name: 'scsi0.0', controller: 'scsi0', units: 8 },
    ];
    this.guest = { onPlug: 'live', onUnplug: 'lets-go', ...options.guest };
    this.unplugPolicy = options.unplugPolicy ?? (() => ({ waitForGuest: false, repeatAfterMs: 1000 }));
    this.#status = options.status ?? 'running';
  }

  get status(): VmStatus {
    return this.#status;
  }

  get isEnded(): boolean {
    return this.#status === 'ended';
  }

  /** What is plugged, in the order in which it was. */
  get devices(): SimulatedDevice[] {
    return [...this.#devices.values()];
  }

  device(id: string): SimulatedDevice | undefined {
    return this.#devices.get(id);
  }

  buses(): Bus[] {
    const occupants = new Map(this.devices.map(({ id, place }) => [placeKey(place), id]));
    return describeSimulatedBuses(this.#buses, occupants);
  }

  /** How often a command was carried out or refused. */
  count(command: string): number {
    return this.log.filter((entry) => entry.command.execute === command).length;
  }

  /** Lets something go wrong. */
  fail(fault: Fault): void {
    this.faults.arm(fault);
  }

  /** Lets the guest treat one device, by its id, in a way of its own. */
  behave(id: string, behaviour: Partial<GuestBehaviour>): void {
    this.#behaviours.set(id, { ...this.#behaviours.get(id), ...behaviour });
  }

  /** The guest stands still: nothing is taken and nothing let go until {@link resume}. */
  pause(): void {
    if (this.#status === 'running') this.#status = 'paused';
  }

  resume(): void {
    if (this.#status !== 'paused' && this.#status !== 'not-started') return;
    this.#status = 'running';
    for (const { id, leaving } of this.devices) {
      this.#take(id);
      if (leaving) this.#answerUnplug(id);
    }
  }

  /** The VM ends, with everything in it. */
  die(): void {
    this.#status = 'ended';
    for (const listener of this.#deathListeners) listener();
  }

  /** The guest gets as far as `evidence` with a device. */
  advance(id: string, evidence: Evidence): void {
    const device = this.#get(id);
    this.#devices.set(id, { ...device, evidence });
  }

  /** The guest lets go of a device, asked or not, and the VMM says so. */
  letGo(id: string): void {
    this.#get(id);
    this.#devices.delete(id);
    this.nodes.leave(id);
    this.#say(id, 'removed');
  }

  /** Somebody else plugs a device, at a place by its key. */
  plugForeign(id: string, key: string): void {
    const place = this.#buses.flatMap(placesOf).find((each) => placeKey(each) === key);
    if (place === undefined) throw invalid('plug a foreign device at', key, 'there is no such place');
    this.#devices.set(id, { id, place, evidence: 'live', leaving: false });
  }

  /** Hears what is said of devices; returns what stops it. */
  onEvent(listener: (device: string, event: DeviceEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onDeath(listener: () => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  /** Is told of every exchange, by its command or question, just before it takes place. */
  onExchange(watcher: (name: string) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Tells the watchers; for the connection. */
  announce(name: string): void {
    for (const watcher of this.#watchers) watcher(name);
  }

  /**
   * Carries out one command.
   * @throws Refusal
   */
  execute(command: Command): JsonValue {
    try {
      this.#execute(command.execute, command.arguments ?? {});
      this.log.push({ command });
      return {};
    } catch (error) {
      if (error instanceof Refusal) this.log.push({ command, refused: error.message });
      throw error;
    }
  }

  #execute(name: string, args: JsonObject): void {
    switch (name) {
      case 'blockdev-add':
        return this.nodes.add(args);
      case 'blockdev-del':
        return this.nodes.remove(textOf(args, 'node-name'));
      case 'device_add':
        return this.#plug(args);
      case 'device_del':
        return this.#requestUnplug(textOf(args, 'id'));
      default:
        throw new Refusal(`The command ${name} has not been found`, 'other', 'CommandNotFound');
    }
  }

  #plug(args: JsonObject): void {
    const id = textOf(args, 'id');
    if (this.#devices.has(id)) throw new Refusal(`Duplicate device ID '${id}'`);
    const index = this.#buses.findIndex(({ name }) => name === args['bus']);
    const bus = this.#buses[index];
    if (bus === undefined) throw new Refusal(`Bus '${textOf(args, 'bus')}' not found`);
    if (bus.refuses !== undefined) throw new Refusal(`Bus '${bus.name}' does not support hotplugging`);
    const place = placesOf(bus, index).find((each) => isAt(each, args));
    if (place === undefined) throw new Refusal(`bus '${bus.name}' has no such place`);
    const occupant = this.devices.find((device) => placeKey(device.place) === placeKey(place));
    if (occupant !== undefined) throw taken(place, occupant.id);
    this.nodes.use(textOf(args, 'drive'), id);
    this.#devices.set(id, { id, place, evidence: 'acknowledged', leaving: false });
    this.#take(id);
  }

  #requestUnplug(id: string): void {
    const device = this.#devices.get(id);
    if (device === undefined) throw new Refusal(`Device '${id}' not found`, 'not-found');
    if (device.leaving && device.place.unplug === 'pcie-native') {
      throw new Refusal(`Device ${id} is already in the process of unplug`);
    }
    this.#devices.set(id, { ...device, leaving: true });
    if (this.#status === 'running' || device.place.unplug === 'immediate') this.#answerUnplug(id);
  }

  #answerUnplug(id: string): void {
    const device = this.#get(id);
    const answer = device.place.unplug === 'immediate' ? 'lets-go' : this.#behaviour(id).onUnplug;
    if (answer === 'lets-go') this.letGo(id);
    if (answer === 'refuses') {
      this.#devices.set(id, { ...device, leaving: false });
      this.#say(id, 'removal-refused');
    }
  }

  #take(id: string): void {
    const device = this.#get(id);
    const reach = this.#behaviour(id).onPlug;
    const further = evidenceLevels.indexOf(reach) > evidenceLevels.indexOf(device.evidence);
    if (this.#status === 'running' && further) this.advance(id, reach);
  }

  #behaviour(id: string): GuestBehaviour {
    return { ...this.guest, ...this.#behaviours.get(id) };
  }

  #say(device: string, event: DeviceEvent): void {
    if (this.eventsLost) return;
    for (const listener of this.#listeners) listener(device, event);
  }

  #get(id: string): SimulatedDevice {
    const device = this.#devices.get(id);
    if (device === undefined) throw invalid('find the device', id, 'the simulated machine does not have it');
    return device;
  }
}

function invalid(action: string, subject: string, reason: string): VmplugError {
  return new VmplugError('invalid-argument', { action, subject, reason });
}
