import type { DeviceInfo, DevicePayload, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import { VhostUserBlk } from '../../api/device-type.ts';
import { makeNameID } from '../../api/names.ts';
import { blockDriverOf, isVirtDiskDriver } from './block-driver.ts';
import { returnBlockIndex } from './block-index.ts';
import { CountedDevice, type PayloadBeyondV1, type PayloadState } from './counted-device.ts';
import type { ReadState } from './read-state.ts';
import { savedAttrs, vhostUserAttrs } from './vhost-user-attrs.ts';

/** A disk that another program serves (v1's `VhostUserBlkDevice`, `drivers/vhost_user_blk.go`). */
export class VhostUserBlkDevice extends CountedDevice<VhostUserDeviceAttrs | null> {
  constructor(info: DeviceInfo | null) {
    super(info, null);
  }

  deviceType(): typeof VhostUserBlk {
    return VhostUserBlk;
  }

  getDeviceInfo(): DevicePayload {
    return { type: VhostUserBlk, attrs: this.payload };
  }

  /** What was plugged at boot stays in the VM: its detach only counts (W15). */
  asksReceiver(action: 'attach' | 'detach'): boolean {
    return action === 'attach' || this.info?.ColdPlug !== true;
  }

  blockIndex(): number | undefined {
    return this.payload !== null && this.payload.Index >= 0 ? this.payload.Index : undefined;
  }

  protected async plug(receiver: DeviceReceiver): Promise<void> {
    const socket = this.requireHostPath();
    // What was plugged at boot kept its index when it was detached.
    const kept = this.info?.ColdPlug === true ? this.payload?.Index : undefined;
    const index = kept ?? (await this.#takeIndex(receiver));
    try {
      this.payload = vhostUserAttrs(VhostUserBlk, {
        DevID: makeNameID('blk', this.deviceID()),
        SocketPath: socket,
        Index: index,
      });
      if (this.info?.ColdPlug === true) await receiver.appendDevice(this);
      else await receiver.hotplugAddDevice(this, VhostUserBlk);
    } catch (error) {
      if (kept === undefined && index >= 0) await returnBlockIndex(receiver, index);
      throw error;
    }
  }

  protected async unplug(receiver: DeviceReceiver): Promise<void> {
    await receiver.hotplugRemoveDevice(this, VhostUserBlk);
    if (this.payload !== null && this.payload.Index >= 0) {
      await returnBlockIndex(receiver, this.payload.Index);
    }
  }

  protected saved(attrs: VhostUserDeviceAttrs | null): PayloadState & PayloadBeyondV1 {
    return attrs === null ? {} : savedAttrs(attrs);
  }

  /** v1 saves index 0 of a device that took none. */
  protected loaded(
    { attrs, DriverOptions }: ReadState,
    beyond: PayloadBeyondV1,
  ): VhostUserDeviceAttrs | null {
    if (attrs === null) return null;
    const takesIndex = isVirtDiskDriver(blockDriverOf({ DriverOptions }));
    return { ...attrs, ...beyond.share, Index: takesIndex ? attrs.Index : -1 };
  }

  protected infoOf(attrs: VhostUserDeviceAttrs | null): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'> {
    return { HostPath: attrs?.SocketPath ?? '', ReadOnly: false, Pmem: false };
  }

  /** Only what the guest numbers among its `vd` disks has an index. */
  async #takeIndex(receiver: DeviceReceiver): Promise<number> {
    return isVirtDiskDriver(blockDriverOf(this.info)) ? receiver.getAndSetSandboxBlockIndex() : -1;
  }
}
