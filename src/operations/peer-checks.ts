import { access, constants } from 'node:fs/promises';
import type { HostDevice } from '../api/host-device.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import type { PeerCheck } from '../api/plan.ts';
import { servesOnce } from '../host/vhost-user/serves-once.ts';
import { servedDevice } from './back-end-errors.ts';

/**
 * How the program behind a device's socket can be checked before the VMM gets to it: a VMM that asks it itself
 * does nothing else until it has answered. Not at all where this process may not connect to the socket, which
 * the VMM may. A program that ends when its first client goes is not left again.
 */
export async function peerChecksFor(
  hypervisor: Hypervisor,
  host: HostDevice,
): Promise<readonly PeerCheck['afterwards'][]> {
  const served = servedDevice({ host });
  if (served === undefined || hypervisor.peerChecks === undefined) return [];
  const isAllowed = await access(served.socket, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isAllowed) return [];
  const checks = await hypervisor.peerChecks();
  return (await servesOnce(served.socket)) ? checks.filter((check) => check !== 'leave') : checks;
}
