import { randomBytes } from 'node:crypto';
import { readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../api/config.ts';
import type { DeviceHost, GroupMember, VhostUserStore } from '../api/device-host.ts';
import type { DeviceInfo } from '../api/device-info.ts';
import { getHostPath } from './get-host-path.ts';
import { groupMembers } from './vfio/iommu-group.ts';

/** This host, as devices and their manager ask it. */
export class SystemDeviceHost implements DeviceHost {
  readonly #hooks: HostHooks;

  /** @param options where facts are read; the running kernel's sysfs by default */
  constructor(options: { hooks?: HostHooks } = {}) {
    this.#hooks = options.hooks ?? defaultHostHooks;
  }

  /** {@inheritDoc DeviceHost.getHostPath} */
  async getHostPath(info: DeviceInfo, store: VhostUserStore): Promise<string> {
    return getHostPath(info, store, this.#hooks);
  }

  /** {@inheritDoc DeviceHost.groupMembers} */
  async groupMembers(hostPath: string): Promise<GroupMember[]> {
    return groupMembers(hostPath, this.#hooks);
  }

  /** The `/dev/vfio/<group>` of a device by its path in sysfs; `undefined` where it is in no group. */
  async groupPath(sysfsDev: string): Promise<string | undefined> {
    try {
      return `/dev/vfio/${basename(await readlink(join(sysfsDev, 'iommu_group')))}`;
    } catch {
      return undefined;
    }
  }

  /** 8 bytes from the system's random source, in hexadecimal (contract 2.14). */
  randomID(): string {
    return randomBytes(8).toString('hex');
  }
}
