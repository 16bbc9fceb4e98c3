import type { Evidence } from '../../../api/evidence.ts';
import type { MachineGuest } from '../machine-guest.ts';
import { Refusal } from '../simulated-errors.ts';
import type { SimulatedMachine } from '../simulated-machine.ts';
import type { Clock } from './clock.ts';

/** What a guest does, and how long it takes. Times are in milliseconds. */
export interface GuestSettings {
  /** How far it takes what is plugged. */
  readonly onPlug: Evidence;
  /** `refuses` says so; `ignores` never answers. */
  readonly onUnplug: 'lets-go' | 'refuses' | 'ignores';
  /** From the plug until its driver runs. The BARs are assigned in half that time. */
  readonly takesMs: number;
  /** From the request until it lets go, or says no; a port with native hot-plug adds its 5 s. */
  readonly answersMs: number;
  /** From a reset until it is up again; never by itself where it is left out. */
  readonly bootsMs?: number | undefined;
}

export const defaultGuest: GuestSettings = {
  onPlug: 'live',
  onUnplug: 'lets-go',
  takesMs: 20,
  answersMs: 40,
};

/** From the press of a port's button until the guest acts on it, in which a second press cancels. */
const nativeWaitMs = 5000;
/** A guest that comes up with a button pressed. */
const nativeBootMs = 2700;

/**
 * A guest in a time of its own. What it is about to do while the VM is paused it does when the
 * VM goes on, after as long again.
 */
export class SimulatedGuest implements MachineGuest {
  readonly #machine: () => SimulatedMachine;
  readonly #clock: Clock;
  readonly #earlyUnplugBlocks: boolean;
  readonly #ofDevice = new Map<string, Partial<GuestSettings>>();
  /** When the button of a native port was pressed for a device. */
  readonly #pressed = new Map<string, number>();
  /** Devices about which an answer is on its way. */
  readonly #answering = new Set<string>();
  readonly #blocked = new Set<string>();
  #putOff: (() => void)[] = [];
  #epoch = 0;
  settings: GuestSettings;
  /** Whether its kernel has come up. */
  isUp: boolean;

  /** @param earlyUnplugBlocks an ACPI request that is sent before it is up spoils all later ones */
  constructor(
    machine: () => SimulatedMachine,
    clock: Clock,
    settings: GuestSettings,
    options: { readonly isUp: boolean; readonly earlyUnplugBlocks: boolean },
  ) {
    this.#machine = machine;
    this.#clock = clock;
    this.settings = settings;
    this.isUp = options.isUp;
    this.#earlyUnplugBlocks = options.earlyUnplugBlocks;
  }

  /** Lets it treat one device, by its id, in a way of its own. */
  behave(id: string, settings: Partial<GuestSettings>): void {
    this.#ofDevice.set(id, { ...this.#ofDevice.get(id), ...settings });
  }

  /** Its kernel comes up, and takes what is there. */
  boot(): void {
    if (this.isUp) return;
    this.isUp = true;
    for (const { id, leaving, place } of this.#machine().devices) {
      this.plugged(id);
      if (leaving && place.unplug === 'pcie-native') this.#answer(id, nativeBootMs);
    }
  }

  /** It begins anew: what it was asked to let go of is gone, and all else is to be taken again. */
  reset(): void {
    this.#epoch += 1;
    this.#putOff = [];
    this.#pressed.clear();
    this.#answering.clear();
    this.#blocked.clear();
    this.isUp = false;
    const machine = this.#machine();
    for (const { id, leaving } of machine.devices) if (leaving) machine.letGo(id);
    machine.resetEvidence();
    const { bootsMs } = this.settings;
    if (bootsMs !== undefined) this.#later(bootsMs, () => this.boot());
  }

  /** The VM goes on after a pause. */
  resumed(): void {
    const putOff = this.#putOff;
    this.#putOff = [];
    for (const again of putOff) again();
  }

  plugged(id: string): void {
    const { onPlug, takesMs } = this.#settingsOf(id);
    // It sees nothing in a second slot of a port.
    if (!this.isUp || onPlug === 'acknowledged' || this.#isUnseen(id)) return;
    // One after the other: timers of a busy process may come in another order than they are due.
    this.#later(takesMs / 2, () => {
      this.#reach(id, 'enumerated');
      if (onPlug === 'live') this.#later(takesMs / 2, () => this.#reach(id, 'live'));
    });
  }

  unplugRequested(id: string): void {
    if (this.#machine().device(id)?.place.unplug === 'pcie-native') return this.#press(id);
    this.#machine().markLeaving(id, true);
    if (!this.isUp && this.#earlyUnplugBlocks) this.#blocked.add(id);
    if (this.isUp && !this.#blocked.has(id)) this.#answer(id, this.#settingsOf(id).answersMs);
  }

  #press(id: string): void {
    const since = this.#clock.now - (this.#pressed.get(id) ?? -Infinity);
    if (since < nativeWaitMs) throw new Refusal(`Device ${id} is already in the process of unplug`);
    if (this.#answering.has(id)) {
      throw new Refusal('Hot-unplug failed: guest is busy (power indicator blinking)');
    }
    this.#pressed.set(id, this.#clock.now);
    this.#machine().markLeaving(id, true);
    if (this.isUp) this.#answer(id, nativeWaitMs + this.#settingsOf(id).answersMs);
  }

  #answer(id: string, afterMs: number): void {
    if (this.#settingsOf(id).onUnplug === 'ignores' || this.#isUnseen(id) || this.#answering.has(id)) return;
    this.#answering.add(id);
    this.#later(afterMs, () => {
      this.#answering.delete(id);
      this.#pressed.delete(id);
      const machine = this.#machine();
      if (machine.device(id) === undefined) return;
      const { onUnplug } = this.#settingsOf(id);
      if (onUnplug === 'refuses') machine.refuseRemoval(id);
      if (onUnplug === 'lets-go') machine.letGo(id);
    });
  }

  #reach(id: string, evidence: Evidence): void {
    if (this.#machine().device(id) !== undefined) this.#machine().advance(id, evidence);
  }

  #isUnseen(id: string): boolean {
    const machine = this.#machine();
    const place = machine.device(id)?.place;
    return place?.transport === 'pci' && !machine.hasPlace(place);
  }

  /** What it does, unless it was reset in between, and not while the VM is paused. */
  #later(ms: number, work: () => void): void {
    const epoch = this.#epoch;
    this.#clock.after(ms, () => {
      const { status } = this.#machine();
      if (epoch !== this.#epoch || status === 'ended') return;
      if (status === 'running') return work();
      this.#putOff.push(() => this.#later(ms, work));
    });
  }

  #settingsOf(id: string): GuestSettings {
    return { ...this.settings, ...this.#ofDevice.get(id) };
  }
}
