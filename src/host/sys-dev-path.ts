import type { HostHooks } from '../api/config.ts';
import type { DeviceInfo } from '../api/device-info.ts';

/** What names a node to the kernel. */
export type DeviceNode = Pick<DeviceInfo, 'DevType' | 'Major' | 'Minor'>;

/**
 * The directory of a node's device in sysfs (contract 2.8): undefined for what has none, FIFOs and
 * nodes without a type. v1 had the empty path there, and looked in the current directory (W36).
 */
export function sysDevPath(node: DeviceNode, hooks: Pick<HostHooks, 'SysDevPrefix'>): string | undefined {
  const number = `${node.Major}:${node.Minor}`;
  switch (node.DevType) {
    case 'c':
    case 'u':
      return `${hooks.SysDevPrefix}/char/${number}`;
    case 'b':
      return `${hooks.SysDevPrefix}/block/${number}`;
    case 'p':
    case '':
      return undefined;
  }
}
