import type { BlockDrive, DeviceInfo, DevicePayload } from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import { DeviceBlock, FsTypeOption, Nvdimm, VirtioSCSI } from '../../api/device-type.ts';
import { getSCSIAddress, getVirtDriveName, makeNameID } from '../../api/names.ts';
import { PciPath } from '../../api/pci-path.ts';
import { blockDriverOf } from './block-driver.ts';
import { returnBlockIndex } from './block-index.ts';
import { CountedDevice, type PayloadBeyondV1, type PayloadState } from './counted-device.ts';
import type { ReadState } from './read-state.ts';
import { savedDrive } from './saved-payload.ts';

/** A disk or an nvdimm (v1's `BlockDevice`, `virtcontainers/device/drivers/block.go`). */
export class BlockDevice extends CountedDevice<BlockDrive | null> {
  constructor(info: DeviceInfo | null) {
    super(info, null);
  }

  deviceType(): typeof DeviceBlock {
    return DeviceBlock;
  }

  getDeviceInfo(): DevicePayload {
    return { type: DeviceBlock, drive: this.payload };
  }

  /** What was plugged at boot stays in the VM: its detach only counts (W15). */
  asksReceiver(action: 'attach' | 'detach'): boolean {
    return action === 'attach' || this.info?.ColdPlug !== true;
  }

  blockIndex(): number | undefined {
    return this.payload !== null && this.payload.Index >= 0 ? this.payload.Index : undefined;
  }

  protected async plug(receiver: DeviceReceiver): Promise<void> {
    const file = this.requireHostPath();
    // What was plugged at boot kept its index when it was detached.
    const kept = this.info?.ColdPlug === true ? this.payload?.Index : undefined;
    const index = kept ?? (await receiver.getAndSetSandboxBlockIndex());
    try {
      this.payload = this.#drive(file, index, receiver);
      if (this.info?.ColdPlug === true) await receiver.appendDevice(this);
      else await receiver.hotplugAddDevice(this, DeviceBlock);
    } catch (error) {
      if (kept === undefined) await returnBlockIndex(receiver, index);
      throw error;
    }
  }

  protected async unplug(receiver: DeviceReceiver): Promise<void> {
    await receiver.hotplugRemoveDevice(this, DeviceBlock);
    if (this.payload !== null) await returnBlockIndex(receiver, this.payload.Index);
  }

  protected saved(drive: BlockDrive | null): PayloadState & PayloadBeyondV1 {
    if (drive === null) return {};
    const { ReadOnly, ShareRW } = drive;
    return { BlockDrive: savedDrive(drive), drive: { ReadOnly, ShareRW } };
  }

  protected loaded({ drive }: ReadState, beyond: PayloadBeyondV1): BlockDrive | null {
    return drive === null ? null : { ...drive, ...beyond.drive };
  }

  protected infoOf(drive: BlockDrive | null): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'> {
    return {
      HostPath: drive?.File ?? '',
      ReadOnly: drive?.ReadOnly ?? false,
      Pmem: drive?.Pmem ?? false,
    };
  }

  #drive(file: string, index: number, receiver: DeviceReceiver): BlockDrive {
    const pmem = this.info?.Pmem ?? false;
    return {
      File: file,
      Format: this.info?.DriverOptions?.[FsTypeOption] ?? 'raw',
      ID: makeNameID('drive', this.deviceID()),
      Index: index,
      MmioAddr: '',
      PCIPath: PciPath.nil,
      ...(pmem ? noAddress : blockAddress(blockDriverOf(this.info), index, receiver)),
      NvdimmID: '',
      DevNo: '',
      ShareRW: false,
      ReadOnly: this.info?.ReadOnly ?? false,
      Pmem: pmem,
    };
  }
}

const noAddress = { SCSIAddr: '', VirtPath: '' };

/**
 * The address that v1 gives a disk by its driver. `VirtPath` is the guest's name as v1 predicts it
 * from the host's count of disks: evidence of nothing, since the guest names them in the order in
 * which it finds them (W30).
 */
function blockAddress(
  driver: string,
  index: number,
  receiver: DeviceReceiver,
): Pick<BlockDrive, 'SCSIAddr' | 'VirtPath'> {
  if (driver === Nvdimm) return noAddress;
  if (driver === VirtioSCSI) return { SCSIAddr: getSCSIAddress(index), VirtPath: '' };
  return { SCSIAddr: '', VirtPath: `/dev/${getVirtDriveName(index + receiver.getSandboxBlockOffset())}` };
}
