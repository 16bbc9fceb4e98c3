import type { DeviceInfo } from '../../api/device-info.ts';
import { VhostUserBlkMajor, VhostUserSCSIMajor } from '../../api/device-type.ts';

export { isVFIO } from '../../host/vfio/vfio-path.ts';

type Node = Pick<DeviceInfo, 'DevType' | 'Major'>;

/** v1's `isBlock` (contract 4.3): whether a block node is asked for. */
export function isBlock(node: Pick<DeviceInfo, 'DevType'>): boolean {
  return node.DevType === 'b';
}

/** v1's `isVhostUserBlk`: a block node of the major that stands for vhost-user-blk sockets. */
export function isVhostUserBlk(node: Node): boolean {
  return isBlock(node) && node.Major === VhostUserBlkMajor;
}

/** v1's `isVhostUserSCSI`: a block node of the major that stands for vhost-user-scsi sockets. */
export function isVhostUserSCSI(node: Node): boolean {
  return isBlock(node) && node.Major === VhostUserSCSIMajor;
}
