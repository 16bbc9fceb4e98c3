import type { DeviceHost } from '../api/device-host.ts';
import type { DeviceInfo, DevicePayload, VhostUserDeviceAttrs } from '../api/device-info.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import type { VhostUserFS, VhostUserNet, VhostUserSCSI } from '../api/device-type.ts';
import { CountedDevice, type PayloadBeyondV1, type PayloadState } from './counted-device.ts';
import type { ReadState } from './read-state.ts';
import { savedAttrs, vhostUserAttrs } from './vhost-user-attrs.ts';

/** The vhost-user devices that v1 gives a VM at boot only. */
export type BootType = typeof VhostUserSCSI | typeof VhostUserNet | typeof VhostUserFS;

/**
 * A vhost-user device that is part of the boot configuration: an attach appends it under a fresh
 * id, a detach only counts (v1's `drivers/vhost_user_{scsi,net,fs}.go`).
 */
export abstract class VhostUserBootDevice extends CountedDevice<VhostUserDeviceAttrs> {
  readonly #host: Pick<DeviceHost, 'randomID'>;

  /** The socket is `info.HostPath` where `attrs` doesn't say another. */
  constructor(
    type: BootType,
    info: DeviceInfo | null,
    host: Pick<DeviceHost, 'randomID'>,
    attrs: Partial<VhostUserDeviceAttrs>,
  ) {
    super(info, vhostUserAttrs(type, { SocketPath: info?.HostPath ?? '', ...attrs }));
    this.#host = host;
  }

  abstract override deviceType(): BootType;

  getDeviceInfo(): DevicePayload {
    return { type: this.deviceType(), attrs: this.payload };
  }

  asksReceiver(action: 'attach' | 'detach'): boolean {
    return action === 'attach';
  }

  blockIndex(): undefined {
    return undefined;
  }

  protected plug(receiver: DeviceReceiver): Promise<void> {
    this.payload = { ...this.payload, DevID: this.#host.randomID() };
    return receiver.appendDevice(this);
  }

  protected unplug(): Promise<void> {
    return Promise.resolve();
  }

  protected saved(attrs: VhostUserDeviceAttrs): PayloadState & PayloadBeyondV1 {
    return savedAttrs(attrs);
  }

  /** v1 leaves the index, which it doesn't use here, at 0. */
  protected loaded({ attrs }: ReadState, beyond: PayloadBeyondV1): VhostUserDeviceAttrs {
    return vhostUserAttrs(this.deviceType(), { ...attrs, ...beyond.share, Index: -1 });
  }

  protected infoOf(attrs: VhostUserDeviceAttrs): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'> {
    return { HostPath: attrs.SocketPath, ReadOnly: false, Pmem: false };
  }
}
