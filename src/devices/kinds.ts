import { VirtioMmio, type HypervisorType } from '../api/device-type.ts';
import type { GuestAddress } from '../api/guest-address.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { Plan } from '../api/plan.ts';
import { acrn } from './other-vmms/acrn-plan.ts';
import { block } from './block.ts';
import { cloudHypervisor } from './other-vmms/cloud-hypervisor-plan.ts';
import type { DeviceNeeds, KindRequest, PlanRequest } from './device-kind.ts';
import { driverFor } from './drivers.ts';
import { firecracker } from './other-vmms/firecracker-plan.ts';
import { pmem } from './pmem.ts';
import { vfio } from './vfio.ts';
import { vhostUser } from './vhost-user.ts';
import type { VmmKind, VmmKinds } from './vmm-kinds.ts';

export { driverFor } from './drivers.ts';

const qemu = { block, pmem, vfio, vhostUser } satisfies VmmKinds;

const vmms: Readonly<Record<HypervisorType, VmmKinds>> = {
  qemu,
  // The simulated machine takes QEMU's commands.
  mock: qemu,
  clh: cloudHypervisor,
  firecracker,
  acrn,
};

/** Calls `use` with what a VMM has for the kind of `host`. */
function withKind<T>(
  kinds: VmmKinds,
  host: HostDevice,
  use: <H extends HostDevice>(kind: VmmKind<H>, host: H) => T,
): T {
  switch (host.kind) {
    case 'block':
      return use(kinds.block, host);
    case 'pmem':
      return use(kinds.pmem, host);
    case 'vfio':
      return use(kinds.vfio, host);
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs':
      return use(kinds.vhostUser, host);
  }
}

/**
 * What a device needs of the VMM: the driver alone decides the kind of place. The features are
 * those that QEMU is asked for.
 * @throws VmplugError as {@link checkDevice} for a driver that cannot be plugged
 */
export function deviceNeeds(request: KindRequest): DeviceNeeds {
  const { host, driver } = request;
  switch (host.kind) {
    case 'block':
      // How the VMMs with a fixed pool of drives are given a disk.
      if (driver === VirtioMmio) return { transport: 'slot', count: 1, features: [] };
      return block.needs({ ...request, host });
    case 'pmem':
      return pmem.needs({ ...request, host });
    case 'vfio':
      return vfio.needs({ ...request, host });
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs':
      return vhostUser.needs({ ...request, host });
  }
}

/**
 * Refuses what cannot be planned on this VMM, before anything is done.
 * @throws VmplugError `invalid-argument`, `unsupported`
 */
export function checkDevice(request: KindRequest, facts: VmmFacts): void {
  driverFor(request.host, request.driver, facts);
  withKind(vmms[facts.type], request.host, (kind, host) => kind.check({ ...request, host }, facts));
}

/**
 * How a device is attached to this VMM. Call {@link checkDevice} first.
 * @throws VmplugError `unsupported`; `no-free-place` for a drive that the VMM doesn't have
 */
export function planDevice(request: PlanRequest): Plan {
  return withKind(vmms[request.facts.type], request.host, (kind, host) => kind.plan({ ...request, host }));
}

/** What is known of the guest's view by the place alone; the VMM's answers add the rest. */
export function deviceGuestAddress(request: PlanRequest): GuestAddress {
  return withKind(vmms[request.facts.type], request.host, (kind, host) =>
    kind.guestAddress({ ...request, host }),
  );
}
