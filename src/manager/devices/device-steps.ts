import type { DeviceType, HypervisorType } from '../../api/device-type.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import type { Device } from '../../api/device.ts';
import { hasCode, VmplugError } from '../../api/errors.ts';
import { deviceLogger } from '../../api/logger.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import type { DeviceJournal } from './device-journal.ts';

/** A device whose record says `pending`, and nobody is at it. */
export interface Unsettled {
  readonly pending: 'attach' | 'detach';
  /** Whether the receiver has it, where that is known and only could not be recorded. */
  readonly has?: boolean;
}

/**
 * Stands between a device and its receiver for one step between 0 and 1 attachments, and
 * journals it: the intent is durable before the receiver is asked, with the payload that it is
 * asked with; how it ended is recorded before the device hears of it.
 */
export class JournaledStep implements DeviceReceiver {
  /** Set when the step ended in a way that the record cannot tell. */
  unsettled: { readonly record: ManagedDeviceRecord; readonly has?: boolean } | undefined = undefined;
  /** How the step is going to end; before the receiver is asked nothing has been done. */
  outcome: 'done' | 'undone' | undefined = 'undone';
  readonly #device: AnyDevice;
  readonly #receiver: DeviceReceiver;
  readonly #journal: DeviceJournal | undefined;

  constructor(device: AnyDevice, receiver: DeviceReceiver, journal: DeviceJournal | undefined) {
    this.#device = device;
    this.#receiver = receiver;
    this.#journal = journal;
  }

  async hotplugAddDevice(device: Device, type: DeviceType): Promise<void> {
    await this.#journaled('attach', () => this.#receiver.hotplugAddDevice(device, type));
  }

  async hotplugRemoveDevice(device: Device, type: DeviceType): Promise<void> {
    await this.#journaled('detach', () => this.#receiver.hotplugRemoveDevice(device, type));
  }

  async appendDevice(device: Device): Promise<void> {
    await this.#journaled('attach', () => this.#receiver.appendDevice(device));
  }

  async getAndSetSandboxBlockIndex(): Promise<number> {
    return this.#receiver.getAndSetSandboxBlockIndex();
  }

  /** The index of a disk that the VM may have is nobody else's until that is known. */
  async unsetSandboxBlockIndex(index: number): Promise<void> {
    if (this.unsettled === undefined) await this.#receiver.unsetSandboxBlockIndex(index);
  }

  getSandboxBlockOffset(): number {
    return this.#receiver.getSandboxBlockOffset();
  }

  getHypervisorType(): HypervisorType {
    return this.#receiver.getHypervisorType();
  }

  async #journaled(action: 'attach' | 'detach', ask: () => Promise<void>): Promise<void> {
    this.#journal?.put(this.#device.record());
    this.outcome = undefined;
    try {
      await ask();
    } catch (error) {
      if (isOpen(error)) this.unsettled = { record: this.#device.record() };
      else this.#recordFailure();
      throw error;
    }
    try {
      this.#journal?.putSoon(this.#device.record('done'));
      this.outcome = 'done';
    } catch (error) {
      this.unsettled = { record: this.#device.record(), has: action === 'attach' };
      throw notRecorded(this.#device.deviceID(), action, error);
    }
  }

  /** A record that still says `pending` is settled like that of a process that ended. */
  #recordFailure(): void {
    this.outcome = 'undone';
    try {
      this.#journal?.putSoon(this.#device.record('undone'));
    } catch (error) {
      deviceLogger().warn('that a step has failed could not be recorded', {
        id: this.#device.deviceID(),
        error,
      });
    }
  }
}

/** Whether the VM may do yet what it was asked: nobody knows, or its guest has not answered so far. */
function isOpen(error: unknown): boolean {
  if (hasCode(error, 'outcome-unknown')) return true;
  return hasCode(error, 'deadline-passed', 'aborted') && error.facts['requested'] === true;
}

function notRecorded(id: string, action: 'attach' | 'detach', error: unknown): unknown {
  if (!hasCode(error, 'state-unavailable', 'state-damaged')) return error;
  const fact = action === 'attach' ? 'the VM has it' : 'the VM has let it go';
  return new VmplugError(error.code, {
    action: `${action} the device`,
    subject: id,
    reason: `${fact}, but that could not be recorded: ${error.message}`,
    hint: `${error.hint ?? 'make the state writable'}; then ${action} it again, which records it`,
    cause: error,
    facts: { device: id },
  });
}
