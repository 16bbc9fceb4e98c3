import type { DeviceHost } from '../../api/device-host.ts';
import type { DeviceInfo, DevicePayload, VFIODev } from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import { DeviceVFIO } from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import { longestId, makeNameID } from '../../api/names.ts';
import { CountedDevice, type PayloadBeyondV1, type PayloadState } from './counted-device.ts';
import type { ReadState } from './read-state.ts';
import { savedMember } from './saved-payload.ts';

/**
 * An IOMMU group (v1's `VFIODevice`, `virtcontainers/device/drivers/vfio.go`). It goes in and out
 * whole: the receiver is asked once and finds all members in the payload (W07, W44). Which bus
 * each of them is put on is the receiver's to say, which knows what is free in its VM (W13).
 */
export class VFIODevice extends CountedDevice<readonly VFIODev[]> {
  readonly #host: DeviceHost;

  constructor(info: DeviceInfo | null, host: DeviceHost) {
    super(info, []);
    this.#host = host;
  }

  deviceType(): typeof DeviceVFIO {
    return DeviceVFIO;
  }

  getDeviceInfo(): DevicePayload {
    return { type: DeviceVFIO, devices: this.payload };
  }

  /** What was plugged at boot stays in the VM: its detach only counts. */
  asksReceiver(action: 'attach' | 'detach'): boolean {
    return action === 'attach' || this.info?.ColdPlug !== true;
  }

  blockIndex(): undefined {
    return undefined;
  }

  protected async plug(receiver: DeviceReceiver): Promise<void> {
    const members = await this.#host.groupMembers(await this.#groupPath());
    if (members.length === 0) throw emptyGroup(this.getHostPath());
    // A list of its own for each attach: v1's grew with every one (W12).
    this.payload = members.map((member, index) => ({
      ...member,
      ID: memberID(this.deviceID(), index),
      Bus: '',
    }));
    if (this.info?.ColdPlug === true) await receiver.appendDevice(this);
    else await receiver.hotplugAddDevice(this, DeviceVFIO);
  }

  protected unplug(receiver: DeviceReceiver): Promise<void> {
    return receiver.hotplugRemoveDevice(this, DeviceVFIO);
  }

  protected saved(members: readonly VFIODev[]): PayloadState & PayloadBeyondV1 {
    if (members.length === 0) return {};
    return { VFIODevs: members.map(savedMember), members: members.map((member) => ({ ...member })) };
  }

  protected loaded({ members }: ReadState, beyond: PayloadBeyondV1): readonly VFIODev[] {
    return beyond.members?.map((member) => ({ ...member })) ?? members;
  }

  protected infoOf(): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'> {
    return { HostPath: '', ReadOnly: false, Pmem: false };
  }

  /** v1 doesn't save the path: the group of a device saved by it is asked for (W95). */
  async #groupPath(): Promise<string> {
    const [member] = this.payload;
    if (this.getHostPath() !== '' || member === undefined) return this.requireHostPath();
    return (await this.#host.groupPath?.(member.SysfsDev)) ?? this.requireHostPath();
  }
}

/**
 * v1's `vfio-<id><position>`, at most 31 bytes. What is too long is cut off the id, not off the
 * position, so that the members of a group stay distinct.
 */
function memberID(id: string, position: number): string {
  return `${makeNameID('vfio', id, longestId - String(position).length)}${position}`;
}

function emptyGroup(path: string): VmplugError {
  return new VmplugError('source-unsuitable', {
    action: 'attach the IOMMU group',
    subject: path,
    reason: 'nothing in it can be given to a VM',
    hint: 'look into the group below /sys/kernel/iommu_groups',
  });
}
