import { VmplugError } from '../../api/errors.ts';
import { reaches, weaker, type Evidence } from '../../api/evidence.ts';
import type { DeviceEvent, UnplugPolicy, VmmFacts, VmStatus } from '../../api/hypervisor.ts';
import type { JsonObject, JsonValue } from '../../api/json.ts';
import { placeKey, type Bus, type PciPlace, type Place } from '../../api/place.ts';
import type { Command } from '../../api/plan.ts';
import { BackEnds } from './back-ends.ts';
import type { BlockLayer } from './block-layer.ts';
import { checkModel, checkProperties } from './check-model.ts';
import { required, textOf } from './device-arguments.ts';
import { deviceModels } from './device-models.ts';
import { Faults, type Fault } from './faults.ts';
import { findBus } from './find-bus.ts';
import { findPlace } from './find-place.ts';
import type { MachineGuest } from './machine-guest.ts';
import type { GuestBehaviour, SimulatedDevice, SimulatedMachineOptions } from './machine-options.ts';
import { wordsOf72, type MachineWords } from './machine-words.ts';
import type { SimulatedBus } from './simulated-bus.ts';
import { describeSimulatedBuses, rootPorts } from './simulated-buses.ts';
import { Refusal } from './simulated-errors.ts';
import { simulatedFacts } from './simulated-facts.ts';
import { placesOf } from './simulated-places.ts';
import { namesIn } from './simulated-names.ts';

/**
 * A VM without a VM, for tests: it keeps back ends and devices as QEMU 7.2 does, and its guest
 * does what it is told. Time plays no part; a guest that is to answer later answers when
 * {@link advance} or {@link letGo} is called.
 *
 * Invariants: a place has one device at most, and a back end one user; a command that is refused
 * changes nothing; a device that left is never seen again; an event is said once, to those who
 * listen then.
 */
export class SimulatedMachine {
  readonly name: string;
  readonly facts: VmmFacts;
  readonly backEnds: BackEnds;
  readonly faults = new Faults();
  /** Every command that the machine carried out or refused, in order. */
  readonly log: { readonly command: Command; readonly refused?: string }[] = [];
  readonly unplugPolicy: (place: Place) => UnplugPolicy;
  /** Events are not delivered, as while no connection is up. */
  eventsLost = false;
  guest: GuestBehaviour;
  readonly #behaviours = new Map<string, Partial<GuestBehaviour>>();
  readonly #guestModel: MachineGuest | undefined;
  readonly #words: MachineWords;
  readonly #buses: readonly SimulatedBus[];
  readonly #devices = new Map<string, SimulatedDevice>();
  readonly #listeners = new Set<(device: string, event: DeviceEvent) => void>();
  readonly #deathListeners = new Set<() => void>();
  readonly #watchers = new Set<(name: string) => void>();
  #status: VmStatus;

  constructor(options: SimulatedMachineOptions = {}) {
    this.name = options.name ?? 'simulated';
    this.facts = options.facts ?? simulatedFacts;
    this.backEnds = new BackEnds(options.functions);
    this.#buses = options.buses ?? [
      ...rootPorts(4),
      { transport: 'scsi', name: 'scsi0.0', controller: 'scsi0', units: 8 },
    ];
    this.guest = { onPlug: 'live', onUnplug: 'lets-go', ...options.guest };
    this.#guestModel = options.guestModel;
    this.#words = options.words ?? wordsOf72;
    this.unplugPolicy = options.unplugPolicy ?? (() => ({ waitForGuest: false, repeatAfterMs: 1000 }));
    this.#status = options.status ?? 'running';
  }

  get status(): VmStatus {
    return this.#status;
  }

  get isEnded(): boolean {
    return this.#status === 'ended';
  }

  get nodes(): BlockLayer {
    return this.backEnds.nodes;
  }

  /** What is plugged, in the order in which it was. */
  get devices(): SimulatedDevice[] {
    return [...this.#devices.values()];
  }

  device(id: string): SimulatedDevice | undefined {
    return this.#devices.get(id);
  }

  buses(): Bus[] {
    return describeSimulatedBuses(this.#buses, this.devices);
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
    if (this.#guestModel !== undefined) return;
    for (const { id, leaving } of this.devices) {
      this.#take(id);
      if (leaving && !this.isEnded) this.#answerUnplug(id);
    }
  }

  /** The VM ends, with everything in it. */
  die(): void {
    this.#status = 'ended';
    for (const listener of this.#deathListeners) listener();
  }

  /** The guest gets as far as `evidence` with a device, as far as the VMM can tell. */
  advance(id: string, evidence: Evidence): void {
    const device = this.#get(id);
    this.#devices.set(id, { ...device, evidence: weaker(evidence, device.best) });
  }

  /**
   * The guest lets go of a device, asked or not, and the VMM says so. A network card whose back
   * end was deleted before takes the whole VM with it, as in QEMU 7.2 (`get_vhost_net`).
   */
  letGo(id: string): void {
    this.#get(id);
    if (this.backEnds.netdevs.isOrphan(id)) return this.die();
    this.#devices.delete(id);
    this.backEnds.leave(id);
    this.#say(id, 'removed');
  }

  /** Whether a guest looks there: not in a second slot of a port. */
  hasPlace({ bus, slot }: PciPlace): boolean {
    return this.#buses.some(
      (each) => each.transport === 'pci' && each.name === bus && each.slots.includes(slot),
    );
  }

  /** The guest says that it keeps a device. */
  refuseRemoval(id: string): void {
    this.#devices.set(id, { ...this.#get(id), leaving: false });
    this.#say(id, 'removal-refused');
  }

  /** A removal is under way, or no longer. */
  markLeaving(id: string, leaving: boolean): void {
    this.#devices.set(id, { ...this.#get(id), leaving });
  }

  /** All that a guest had taken is as it was plugged: the guest begins anew. */
  resetEvidence(): void {
    for (const device of this.devices) {
      this.#devices.set(device.id, { ...device, evidence: 'acknowledged' });
    }
  }

  /** Somebody else plugs a device, at a place by its key. */
  plugForeign(id: string, key: string): void {
    const places = Iterator.from(this.#buses.entries()).flatMap(([index, bus]) => placesOf(bus, index));
    const place = places.find((each) => placeKey(each) === key);
    const kind = [...deviceModels].find(([, { transport }]) => transport === place?.transport);
    if (place === undefined || kind === undefined) {
      throw invalid('plug a foreign device at', key, 'there is no such place');
    }
    const [model, { best }] = kind;
    this.#devices.set(id, { id, model, best, place, arguments: {}, evidence: best, leaving: false });
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
    if (name === 'device_add') return this.#plug(args);
    if (name === 'device_del') return this.#requestUnplug(required(args, 'id'));
    const command = this.backEnds.command(name);
    if (command === undefined) {
      throw new Refusal(`The command ${name} has not been found`, 'other', 'CommandNotFound');
    }
    command(args);
  }

  /** In QEMU's order: what and where, its properties, its place, and then it takes its back end. */
  #plug(args: JsonObject): void {
    const { transport, best, reserve } = checkModel(args, this.facts, this.#words);
    const id = textOf(args, 'id');
    if (this.#devices.has(id)) throw new Refusal(`Duplicate device ID '${id}'`);
    const { bus, index } = findBus(this.#buses, transport, args, this.devices);
    checkProperties(args, this.facts, this.#words);
    const hold = reserve(args, this.backEnds);
    const place = findPlace(bus, index, args, this.devices, this.#words);
    hold(id);
    const model = textOf(args, 'driver');
    const names = namesIn(args);
    const plugged = { id, model, best, place, ...names, arguments: args, leaving: false };
    this.#devices.set(id, { ...plugged, evidence: 'acknowledged' });
    this.#take(id);
  }

  #requestUnplug(id: string): void {
    const device = this.#devices.get(id);
    if (device === undefined) throw new Refusal(`Device '${id}' not found`, 'not-found');
    if (device.place.transport === 'memory') {
      throw new Refusal('nvdimm device hot unplug is not supported yet.');
    }
    if (this.#guestModel !== undefined && device.place.unplug !== 'immediate') {
      return this.#guestModel.unplugRequested(id);
    }
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
    if (answer === 'refuses') this.refuseRemoval(id);
  }

  #take(id: string): void {
    if (this.#guestModel !== undefined) return this.#guestModel.plugged(id);
    const device = this.#get(id);
    const reach = weaker(this.#behaviour(id).onPlug, device.best);
    if (this.#status === 'running' && !reaches(device.evidence, reach)) this.advance(id, reach);
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
