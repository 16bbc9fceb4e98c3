import type { DeviceInfo } from '../api/device-info.ts';
import type { DeviceManager } from '../api/device-manager.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import type { Device } from '../api/device.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { ContainerDevice } from './container.ts';
import { alsoFailed, notAllGivenBack } from './give-back-errors.ts';

/** One device that a container has: one reference and at most one attachment are its own. */
export interface Holding {
  readonly role: 'device' | 'volume' | 'rootfs';
  readonly device: ContainerDevice;
  /** `unknown`: an attach of which nobody saw the end, and which the manager settles. */
  attached: boolean | 'unknown';
}

/**
 * What one container has of a manager. It knows of each device whether the container attached
 * it, so that an attachment of another container's is never taken away.
 */
export class Holdings {
  readonly #container: string;
  readonly #manager: DeviceManager;
  readonly #receiver: DeviceReceiver;
  readonly #held: Holding[] = [];

  constructor(container: string, manager: DeviceManager, receiver: DeviceReceiver) {
    this.#container = container;
    this.#manager = manager;
    this.#receiver = receiver;
  }

  /** What is held in one of `roles`, in the order in which it was taken. */
  of(...roles: Holding['role'][]): Holding[] {
    return this.#held.filter(({ role }) => roles.includes(role));
  }

  /** Takes a reference on the device of `info`; throws what `DeviceManager.newDevice` throws. */
  async take(role: Holding['role'], info: DeviceInfo): Promise<Holding> {
    const { ContainerPath, FileMode, UID, GID } = info;
    const ID = (await this.#manager.newDevice(info)).deviceID();
    return this.adopt(role, { ID, ContainerPath, FileMode, UID, GID });
  }

  /**
   * Takes a reference on a device that the manager has.
   * @throws VmplugError `device-not-found`
   */
  share(role: Holding['role'], device: ContainerDevice): Holding {
    const known = this.#manager.getDeviceByID(device.ID);
    if (known === undefined) {
      throw new VmplugError('device-not-found', {
        action: 'give the container its device',
        subject: device.ID,
        reason: `the manager has no device of this id, which is to be at ${device.ContainerPath}`,
        hint: "give the manager of the container's own sandbox",
      });
    }
    known.reference();
    return this.adopt(role, device);
  }

  /** Adds a device on which the container has a reference already. */
  adopt(role: Holding['role'], device: ContainerDevice, attached = false): Holding {
    const holding: Holding = { role, device, attached };
    this.#held.push(holding);
    return holding;
  }

  /** The manager's device of a holding; `undefined` when it does not know it. */
  deviceOf(holding: Holding): Device | undefined {
    return this.#manager.getDeviceByID(holding.device.ID);
  }

  /** Attaches what is not attached yet; throws what `DeviceManager.attachDevice` throws. */
  async attach(holding: Holding): Promise<void> {
    if (holding.attached === true) return;
    try {
      await this.#manager.attachDevice(holding.device.ID, this.#receiver);
      holding.attached = true;
    } catch (error) {
      if (hasCode(error, 'outcome-unknown', 'state-unavailable', 'state-damaged'))
        holding.attached = 'unknown';
      throw error;
    }
  }

  /**
   * Detaches and gives back everything, past failures. What failed is still held, so that it
   * can be tried again.
   * @throws VmplugError with the code of the first failure, all of them as its cause
   */
  async giveBack(): Promise<void> {
    const failures: { id: string; error: unknown }[] = [];
    for (const holding of this.#held.splice(0)) {
      try {
        await this.#release(holding);
      } catch (error) {
        failures.push({ id: holding.device.ID, error });
        this.#held.push(holding);
      }
    }
    if (failures.length > 0) throw notAllGivenBack(this.#container, failures);
  }

  /**
   * Does one step of a container's making; when it fails everything is given back, and the
   * container holds nothing.
   * @throws what `step` threw; with what could not be given back in its cause, if there was any
   */
  async orGiveBack<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      try {
        await this.giveBack();
      } catch (leftover) {
        throw alsoFailed(this.#container, error, leftover);
      }
      throw error;
    }
  }

  async #release(holding: Holding): Promise<void> {
    const { ID } = holding.device;
    if (this.#isToBeDetached(holding)) {
      await unless(
        () => this.#manager.detachDevice(ID, this.#receiver),
        ['device-not-attached', 'device-not-found'],
      );
      holding.attached = false;
    }
    await unless(() => this.#manager.removeDevice(ID), ['device-not-found']);
  }

  /** What became of an unknown attach is asked by the detach; attachments that count are others'. */
  #isToBeDetached(holding: Holding): boolean {
    if (holding.attached !== 'unknown') return holding.attached;
    return (this.deviceOf(holding)?.getAttachCount() ?? 0n) === 0n;
  }
}

/** Does `work`; what it throws with one of `codes` is as good as done. */
async function unless(work: () => Promise<void>, codes: Parameters<typeof hasCode>[1][]): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!hasCode(error, ...codes)) throw error;
  }
}
