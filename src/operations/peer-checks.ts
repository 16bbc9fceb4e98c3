import { access, constants } from 'node:fs/promises';
import type { HostDevice } from '../api/host-device.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import type { PeerCheck } from '../api/plan.ts';
import { servesOnce } from '../host/vhost-user/serves-once.ts';
import { servedDevice } from './back-end-errors.ts';

type Check = PeerCheck['afterwards'];

/**
 * How the program behind a device's socket can be checked before a running VMM gets to it: a VMM that asks it
 * itself does nothing else until it has answered. As {@link checksAmong}, of what the VMM takes.
 */
export async function peerChecksFor(hypervisor: Hypervisor, host: HostDevice): Promise<readonly Check[]> {
  if (servedDevice({ host }) === undefined || hypervisor.peerChecks === undefined) return [];
  return checksAmong(await hypervisor.peerChecks(), host);
}

/**
 * Which of the checks that are `offered` the program behind a device's socket can be checked by: none where
 * this process may not connect to the socket, which the VMM may. A program that ends when its first client
 * goes is not left again.
 */
export async function checksAmong(offered: readonly Check[], host: HostDevice): Promise<readonly Check[]> {
  const served = servedDevice({ host });
  if (served === undefined) return [];
  const isAllowed = await access(served.socket, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isAllowed) return [];
  return (await servesOnce(served.socket)) ? offered.filter((check) => check !== 'leave') : offered;
}
