import type { DeviceReceiver, SettlingReceiver } from '../api/device-receiver.ts';
import type { Device } from '../api/device.ts';
import { hasCode } from '../api/errors.ts';
import { deviceLogger } from '../api/logger.ts';

/** The device cgroup of a sandbox, by paths of block and character nodes (`rwm`). */
export interface DeviceCgroup {
  allow(path: string): Promise<void>;
  deny(path: string): Promise<void>;
}

/**
 * A receiver whose VMM may use a device from before it is hot-plugged until it is surely gone
 * (v1's `sandbox_cgroup_only`): allowed before the add and revoked when that fails; revoked
 * after a removal, not when that failed (W52). What nobody saw the end of is put right when the
 * receiver is asked what it has. A failure of the cgroup is only logged.
 *
 * Cold-plugged devices are not its matter: they are collected when the cgroup is made.
 */
export function withDeviceCgroup(receiver: DeviceReceiver, cgroup: DeviceCgroup): DeviceReceiver {
  const permissions = new Permissions(cgroup);
  return {
    async hotplugAddDevice(device, type) {
      const path = device.getHostPath();
      await permissions.take(path, device.deviceID());
      try {
        await receiver.hotplugAddDevice(device, type);
      } catch (error) {
        // Where nobody knows whether the VMM has it, what settles that revokes.
        if (!hasCode(error, 'outcome-unknown')) await permissions.giveBack(path, device.deviceID());
        throw error;
      }
    },
    async hotplugRemoveDevice(device, type) {
      await receiver.hotplugRemoveDevice(device, type);
      await permissions.giveBack(device.getHostPath(), device.deviceID());
    },
    getAndSetSandboxBlockIndex: async () => receiver.getAndSetSandboxBlockIndex(),
    unsetSandboxBlockIndex: async (index) => receiver.unsetSandboxBlockIndex(index),
    getSandboxBlockOffset: () => receiver.getSandboxBlockOffset(),
    getHypervisorType: () => receiver.getHypervisorType(),
    appendDevice: async (device) => receiver.appendDevice(device),
    ...(isSettling(receiver) && {
      async hasDevice(device: Device): Promise<boolean> {
        const has = await receiver.hasDevice(device);
        await permissions[has ? 'take' : 'giveBack'](device.getHostPath(), device.deviceID());
        return has;
      },
    }),
  };
}

function isSettling(receiver: DeviceReceiver): receiver is SettlingReceiver {
  return 'hasDevice' in receiver && typeof receiver.hasDevice === 'function';
}

/** Which devices use each path: the cgroup is told of the first and of the last. */
class Permissions {
  readonly #cgroup: DeviceCgroup;
  readonly #users = new Map<string, Set<string>>();
  /** The last word to the cgroup on a path, so that a later one does not overtake it. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(cgroup: DeviceCgroup) {
    this.#cgroup = cgroup;
  }

  async take(path: string, device: string): Promise<void> {
    const users = this.#users.get(path);
    this.#users.set(path, new Set(users).add(device));
    await (users === undefined ? this.#tell('allow', path) : this.#last.get(path));
  }

  /** What another process allowed has no users here, and is revoked as well. */
  async giveBack(path: string, device: string): Promise<void> {
    const users = this.#users.get(path);
    users?.delete(device);
    if (users !== undefined && users.size > 0) return;
    this.#users.delete(path);
    await this.#tell('deny', path);
  }

  async #tell(word: 'allow' | 'deny', path: string): Promise<void> {
    if (path === '') return;
    const told = this.#ask(this.#last.get(path), word, path);
    this.#last.set(path, told);
    await told;
    if (this.#last.get(path) === told) this.#last.delete(path);
  }

  async #ask(before: Promise<void> | undefined, word: 'allow' | 'deny', path: string): Promise<void> {
    await before;
    try {
      await this.#cgroup[word](path);
    } catch (error) {
      deviceLogger().warn(`the device cgroup did not ${word} the device`, { error, path });
    }
  }
}
