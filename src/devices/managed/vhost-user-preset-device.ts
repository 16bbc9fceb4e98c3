import type { DeviceHost } from '../../api/device-host.ts';
import type { DeviceInfo, DevicePayload, VhostUserDeviceAttrs } from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import type { VhostUserFS, VhostUserNet, VhostUserSCSI } from '../../api/device-type.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import { CountedDevice, type PayloadBeyondV1, type PayloadState } from './counted-device.ts';
import type { ReadState } from './read-state.ts';
import { savedAttrs, vhostUserAttrs } from './vhost-user-attrs.ts';

/** The vhost-user devices whose payload is known before the first attach. */
export type PresetType = typeof VhostUserSCSI | typeof VhostUserNet | typeof VhostUserFS;

/**
 * v1's `drivers/vhost_user_{scsi,net,fs}.go`: each real attach gives it a fresh id. Without a request, with
 * ColdPlug, and saved by v1, it is part of the boot configuration, as always in v1: an attach appends
 * it, a detach only counts. Otherwise it goes into the running VM and out again.
 */
export abstract class VhostUserPresetDevice extends CountedDevice<VhostUserDeviceAttrs> {
  readonly #host: Pick<DeviceHost, 'randomID'>;
  #isForBoot: boolean;

  /** The socket is `info.HostPath` where `attrs` doesn't say another. */
  constructor(
    type: PresetType,
    info: DeviceInfo | null,
    host: Pick<DeviceHost, 'randomID'>,
    attrs: Partial<VhostUserDeviceAttrs>,
  ) {
    super(info, vhostUserAttrs(type, { SocketPath: info?.HostPath ?? '', ...attrs }));
    this.#host = host;
    this.#isForBoot = info === null || info.ColdPlug;
  }

  abstract override deviceType(): PresetType;

  getDeviceInfo(): DevicePayload {
    return { type: this.deviceType(), attrs: this.payload };
  }

  asksReceiver(action: 'attach' | 'detach'): boolean {
    return action === 'attach' || !this.#isForBoot;
  }

  blockIndex(): undefined {
    return undefined;
  }

  protected plug(receiver: DeviceReceiver): Promise<void> {
    this.payload = { ...this.payload, DevID: this.#host.randomID() };
    return this.#isForBoot ? receiver.appendDevice(this) : receiver.hotplugAddDevice(this, this.deviceType());
  }

  protected unplug(receiver: DeviceReceiver): Promise<void> {
    return receiver.hotplugRemoveDevice(this, this.deviceType());
  }

  override record(outcome?: 'done' | 'undone'): ManagedDeviceRecord {
    const record = super.record(outcome);
    return this.#isForBoot ? record : { ...record, state: { ...record.state, HotPlugged: true } };
  }

  override restore(record: Omit<ManagedDeviceRecord, 'pending'>): void {
    super.restore(record);
    this.#isForBoot = record.state.HotPlugged !== true;
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
