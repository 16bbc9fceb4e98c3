import type { DeviceConfig } from '../api/config.ts';
import { defaultDeviceConfig } from '../api/config.ts';
import type { DeviceHost } from '../api/device-host.ts';
import type { DeviceInfo } from '../api/device-info.ts';
import type { Device } from '../api/device.ts';
import { VmplugError } from '../api/errors.ts';
import type { Evidence } from '../api/evidence.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { SystemDeviceHost } from '../host/device-host.ts';
import { BlockIndexes } from '../sandbox/block-indexes.ts';
import { SandboxReceiver, type SandboxReceiverOptions } from '../sandbox/sandbox-receiver.ts';
import type { Store } from '../store/store.ts';
import type { SandboxDeviceManager } from './devices/device-manager.ts';
import { readKeptDocument } from '../store/v1/kept-document.ts';
import { openDeviceManager } from './devices/device-opening.ts';
import { unexplainedIndexes } from './v1/present.ts';

export interface SandboxDevicesOptions {
  /** v1's settings; its defaults where left out. */
  readonly config?: Partial<DeviceConfig>;
  /** What is asked of this host: by default its sysfs. */
  readonly host?: DeviceHost;
  /** The evidence to wait for; `live` by default, or the best that a device can show. */
  readonly wait?: Evidence;
  /** Milliseconds to wait for the guest; 10,000 by default. */
  readonly timeoutMs?: number;
}

/**
 * The devices of one sandbox as v1 has them: a manager that keeps them in the store, and the VM as
 * its receiver.
 */
export class SandboxDevices {
  readonly manager: SandboxDeviceManager;
  readonly receiver: SandboxReceiver;

  constructor(
    store: Store,
    sandbox: SandboxRecord,
    use: SandboxReceiverOptions['use'],
    { host, config: settings, ...limits }: SandboxDevicesOptions = {},
  ) {
    const config = { ...defaultDeviceConfig, ...settings };
    this.manager = openDeviceManager({
      store,
      sandbox: sandbox.name,
      host: host ?? new SystemDeviceHost(),
      blockDriver: config.block_device_driver,
      vhostUserStore: { enabled: config.enable_vhost_user_store, path: config.vhost_user_store_path },
    });
    this.receiver = new SandboxReceiver({
      ...limits,
      store,
      sandbox,
      use,
      config,
      indexes: new BlockIndexes([...this.manager.blockIndexes(), ...keptIndexes(store, sandbox.name)]),
    });
  }

  /**
   * v1's `Sandbox.AddDevice`: a new device, attached; when it cannot be attached its reference is
   * given back.
   * @throws VmplugError as `newDevice` and `attachDevice`
   */
  async addDevice(info: DeviceInfo): Promise<Device> {
    const device = await this.manager.newDevice(info);
    try {
      await this.manager.attachDevice(device.deviceID(), this.receiver);
      return device;
    } catch (error) {
      // Whether the VM has it is not known: then it stays, and the next attach or detach finds out.
      await this.manager.removeDevice(device.deviceID()).catch((second: unknown) => {
        if (!(second instanceof VmplugError)) throw second;
      });
      throw error;
    }
  }
}

/** Of a sandbox that was imported: indexes that v1 had given out to what is no device. */
function keptIndexes(store: Store, sandbox: string): Iterable<number> {
  const document = store.read((tx) => tx.v1State(sandbox));
  return document === undefined ? [] : unexplainedIndexes(readKeptDocument(document, sandbox).sandbox);
}
