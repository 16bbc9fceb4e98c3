import type { DeviceInfo, DevicePayload } from '../../api/device-info.ts';
import { DeviceGeneric } from '../../api/device-type.ts';
import { CountedDevice } from './counted-device.ts';

/** A device that is only counted: it isn't passed to the guest, and the receiver is never asked. */
export class GenericDevice extends CountedDevice<null> {
  constructor(info: DeviceInfo | null) {
    super(info, null);
  }

  deviceType(): typeof DeviceGeneric {
    return DeviceGeneric;
  }

  getDeviceInfo(): DevicePayload {
    return { type: DeviceGeneric, info: this.info };
  }

  asksReceiver(): boolean {
    return false;
  }

  blockIndex(): undefined {
    return undefined;
  }

  protected plug(): Promise<void> {
    return Promise.resolve();
  }

  protected unplug(): Promise<void> {
    return Promise.resolve();
  }

  protected saved(): Record<string, never> {
    return {};
  }

  protected loaded(): null {
    return null;
  }

  protected infoOf(): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'> {
    return { HostPath: '', ReadOnly: false, Pmem: false };
  }
}
