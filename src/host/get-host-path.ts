import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultHostHooks, type HostHooks } from '../api/config.ts';
import type { VhostUserStore } from '../api/device-host.ts';
import type { DeviceInfo } from '../api/device-info.ts';
import { VhostUserBlkMajor, VhostUserSCSIMajor } from '../api/device-type.ts';
import { withAction } from './error-action.ts';
import { errnoOf, sourceError, systemError, unsuitable } from './source-errors.ts';
import { sysDevPath, type DeviceNode } from './sys-dev-path.ts';
import { ueventDeviceName } from './uevent.ts';
import { statNode, vhostUserSocket, type NodeStat } from './vhost-user/vhost-user-store.ts';

/** What of a request is needed to find its node on the host. */
export type NodeRequest = DeviceNode & Pick<DeviceInfo, 'ContainerPath'>;

/** MINORBITS of the kernel's include/linux/kdev_t.h is 20, of 32. */
const largestMajor = 0xfff;
const largestMinor = 0xfffff;

/**
 * v1's `GetHostPath` (contract 2.7): where the host has the node that a container asks for. With the
 * vhost-user store enabled a block node of major 241 or 242 is its socket. For others sysfs tells the
 * name below /dev; a node that sysfs does not know has the container's path.
 * @param look how the nodes of the store are looked at
 * @throws VmplugError `no-container-path`, `invalid-device-number`, `source-not-found`,
 *   `source-unsuitable`
 */
export async function getHostPath(
  info: NodeRequest,
  store: VhostUserStore,
  hooks: Pick<HostHooks, 'SysDevPrefix'> = defaultHostHooks,
  look: NodeStat = statNode,
): Promise<string> {
  return withAction('find on the host', async () => {
    refuseInvalid(info);
    if (store.enabled && standsForSocket(info))
      return vhostUserSocket({ major: info.Major, minor: info.Minor }, store.path, look);
    const directory = sysDevPath(info, hooks);
    const uevent = directory === undefined ? undefined : await ueventOf(directory);
    return uevent === undefined ? info.ContainerPath : hostNode(uevent);
  });
}

function refuseInvalid({ ContainerPath, DevType, Major, Minor }: NodeRequest): void {
  if (ContainerPath === '')
    throw sourceError(
      'no-container-path',
      `${DevType} ${Major}:${Minor}`.trim(),
      'the request does not say where the container is to have it',
      'set ContainerPath',
    );
  if (!isWithin(Major, largestMajor) || !isWithin(Minor, largestMinor))
    throw sourceError(
      'invalid-device-number',
      ContainerPath,
      `${Major}:${Minor} is not the number of a device`,
      `a major is a whole number from 0 to ${largestMajor}, a minor from 0 to ${largestMinor}`,
    );
}

function isWithin(value: number, largest: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= largest;
}

function standsForSocket({ DevType, Major }: DeviceNode): boolean {
  return DevType === 'b' && (Major === VhostUserBlkMajor || Major === VhostUserSCSIMajor);
}

interface UeventFile {
  file: string;
  text: string;
}

/** Undefined when sysfs does not have the device: CUSE and the like have no entry of their own. */
async function ueventOf(directory: string): Promise<UeventFile | undefined> {
  const file = `${directory}/uevent`;
  try {
    return { file, text: await readFile(file, 'utf8') };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw systemError(file, error);
  }
}

function hostNode({ file, text }: UeventFile): string {
  const name = ueventDeviceName(text, file);
  if (name === undefined || name === '') throw unsuitable(file, 'it does not name a node: no DEVNAME');
  const path = join('/dev', name);
  if (!path.startsWith('/dev/') || name.includes('\0'))
    throw unsuitable(file, `its DEVNAME ${JSON.stringify(name)} leads out of /dev`);
  return path;
}
