import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import { defaultDeviceConfig, type DeviceConfig } from '../api/config.ts';
import type { Device } from '../api/device.ts';
import type { DeviceReceiver, SettlingReceiver } from '../api/device-receiver.ts';
import type { DeviceType, HypervisorType } from '../api/device-type.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { Evidence } from '../api/evidence.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { attach } from '../operations/attach.ts';
import type { OperationContext } from '../operations/context.ts';
import { detach } from '../operations/detach.ts';
import { settleAttachment } from '../operations/settle.ts';
import type { Store } from '../store/store.ts';
import type { BlockIndexes } from './block-indexes.ts';
import { cacheOptions } from './cache-options.ts';
import { pluggable, type HostTrees } from './host-device-of.ts';
import { IndexedReceiver } from './indexed-receiver.ts';
import { writeBack } from './write-back.ts';

export interface SandboxReceiverOptions {
  readonly store: Store;
  readonly sandbox: SandboxRecord;
  /** Runs `work` on the sandbox's VM, with everything settled that was left open before. */
  readonly use: <T>(work: (context: OperationContext) => Promise<T>) => Promise<T>;
  /** Block indexes that its devices have already. */
  readonly indexes?: BlockIndexes;
  readonly config?: DeviceConfig;
  readonly trees?: HostTrees;
  /** The evidence to wait for; `live` by default, or the best that a device can show. */
  readonly wait?: Evidence;
  /** Milliseconds to wait for the guest; 10,000 by default. */
  readonly timeoutMs?: number;
  /** Virtio disks that the guest has and that are not in the index set: v1's drive offset. */
  readonly blockOffset?: number;
}

const defaultTimeoutMs = 10_000;

/**
 * A running VM as v1's `DeviceReceiver` (`virtcontainers/sandbox.go`). Every plug and unplug is an
 * operation: planned, journalled, confirmed, recorded. Places come from what the VMM has, and the
 * addresses that the VMM says are written back into the device's payload.
 */
export class SandboxReceiver extends IndexedReceiver implements DeviceReceiver, SettlingReceiver {
  readonly #options: SandboxReceiverOptions;
  readonly #config: DeviceConfig;

  constructor(options: SandboxReceiverOptions) {
    super(options.indexes, options.blockOffset);
    this.#options = options;
    this.#config = options.config ?? defaultDeviceConfig;
  }

  /**
   * @throws VmplugError as `attach`, and as the resolving of its host device; `outcome-unknown` when
   * it failed and the VM may have the device all the same, as while its guest has not taken it yet
   */
  async hotplugAddDevice(device: Device, type: DeviceType): Promise<void> {
    checkType(device, type);
    const wanted = pluggable(device, this.#config.block_device_driver, this.#options.trees);
    if (wanted === undefined) return;
    const options = this.#diskOptions(type);
    try {
      const attachment = await this.#options.use((context) =>
        attach(context, {
          id: device.deviceID(),
          driver: wanted.driver,
          options,
          resolve: wanted.resolve,
          wait: this.#options.wait ?? 'live',
          timeoutMs: this.#timeoutMs,
        }),
      );
      writeBack(device, attachment);
    } catch (error) {
      throw this.#isFreed(device) ? error : mayBeInVm(error);
    }
  }

  /**
   * @throws VmplugError as `detach`; what the VM has let go of by now, late or because it ended, is
   * detached
   */
  async hotplugRemoveDevice(device: Device, type: DeviceType): Promise<void> {
    checkType(device, type);
    if (type === 'generic') return;
    try {
      await this.#options.use((context) =>
        detach(context, { device: device.deviceID(), timeoutMs: this.#timeoutMs }),
      );
    } catch (error) {
      if (!hasCode(error, 'vm-gone', 'device-not-found') || !this.#isFreed(device)) throw error;
    }
  }

  /**
   * Whether the VM has the device, found out by asking it. One that was asked to leave, or of which
   * the VM has a part, is waited for: it is neither there for whoever attaches it, nor gone.
   * @throws VmplugError `outcome-unknown` while that cannot be told; as `detach` for what does not leave
   */
  async hasDevice(device: Device): Promise<boolean> {
    const id = device.deviceID();
    return this.#options.use(async (context) => {
      const recorded = context.store.read((tx) => tx.attachment(id));
      if (recorded === undefined) return false;
      const settled = await settleAttachment(context, id);
      const attachment = context.store.read((tx) => tx.attachment(id));
      if (attachment === undefined) return false;
      if (settled === undefined) throw undecided(device);
      const rest = settled === 'detaching' ? await this.#seeOut(context, id) : attachment;
      if (rest === undefined) return false;
      writeBack(device, rest);
      return true;
    });
  }

  /** Ends a detach that was begun; what the guest refuses to let go of is attached as before. */
  async #seeOut(context: OperationContext, id: string): Promise<AttachmentRecord | undefined> {
    try {
      await detach(context, { device: id, timeoutMs: this.#timeoutMs });
    } catch (error) {
      if (!hasCode(error, 'unplug-refused', 'device-not-found')) throw error;
    }
    return context.store.read((tx) => tx.attachment(id));
  }

  getHypervisorType(): HypervisorType {
    return this.#options.sandbox.hypervisor;
  }

  /** @throws VmplugError `unsupported`: the VM runs, and its boot configuration is history */
  async appendDevice(device: Device): Promise<void> {
    return Promise.reject(
      new VmplugError('unsupported', {
        action: 'add to the boot configuration',
        subject: device.deviceID(),
        reason: `${this.#options.sandbox.name} runs already`,
        hint: 'plug it without ColdPlug, or give it to the VM before it starts',
      }),
    );
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? defaultTimeoutMs;
  }

  /** What could not be asked is not sure to be free. */
  #isFreed(device: Device): boolean {
    try {
      return this.#options.store.read((tx) => tx.attachment(device.deviceID())) === undefined;
    } catch (error) {
      if (hasCode(error, 'state-unavailable', 'state-damaged')) return false;
      throw error;
    }
  }

  #diskOptions(type: DeviceType): DiskOptions {
    return type === 'block' ? cacheOptions(this.#config) : {};
  }
}

/** @throws VmplugError `invalid-argument` when a device is plugged as what it isn't */
function checkType(device: Device, type: DeviceType): void {
  const own = device.getDeviceInfo().type;
  if (own === type) return;
  throw new VmplugError('invalid-argument', {
    action: 'plug the device',
    subject: device.deviceID(),
    reason: `it is of type ${own}, and was given as ${type}`,
  });
}

/** Its manager is not to take a device for detached that is in the VM, or may be. */
function mayBeInVm(error: unknown): unknown {
  if (!(error instanceof VmplugError) || error.code === 'outcome-unknown') return error;
  return new VmplugError('outcome-unknown', {
    action: error.action,
    subject: error.subject,
    reason: error.reason,
    hint: 'attach it again, which asks the VM and repeats nothing; or detach it',
    cause: error,
    facts: error.facts,
  });
}

function undecided(device: Device): VmplugError {
  return new VmplugError('outcome-unknown', {
    action: 'find out whether the VM has',
    subject: device.deviceID(),
    reason: 'another operation on it is under way',
    hint: 'wait until it has ended',
  });
}
