import type { DeviceInfo } from '../../api/device-info.ts';
import {
  BlockDriverOption,
  VirtioBlock,
  VirtioBlockCCW,
  VirtioMmio,
  VirtioSCSI,
} from '../../api/device-type.ts';

/**
 * The block driver that a request asks for: its option `block-driver`, and where that is missing
 * v1's default, whatever other options there are (W17, W32). May be a name that is none.
 */
export function blockDriverOf(info: Pick<DeviceInfo, 'DriverOptions'> | null): string {
  return info?.DriverOptions?.[BlockDriverOption] ?? VirtioSCSI;
}

const virtDiskDrivers: readonly string[] = [VirtioBlock, VirtioBlockCCW, VirtioMmio];

/** Whether the guest numbers what is plugged with this driver among its `vd` disks. */
export function isVirtDiskDriver(driver: string): boolean {
  return virtDiskDrivers.includes(driver);
}
