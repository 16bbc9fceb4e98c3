import { VmplugError } from '../api/errors.ts';
import type { HostDevice, HostDisk, HostPmem, HostVfioGroup, HostVhostUser } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { DeviceKind, KindRequest } from './device-kind.ts';

/** How one VMM is given a kind of device; what it needs is decided by the driver alone. */
export type VmmKind<H extends HostDevice> = Omit<DeviceKind<H>, 'needs'>;

/** How one VMM is given each kind of device. */
export interface VmmKinds {
  readonly block: VmmKind<HostDisk>;
  readonly pmem: VmmKind<HostPmem>;
  readonly vfio: VmmKind<HostVfioGroup>;
  readonly vhostUser: VmmKind<HostVhostUser>;
}

/**
 * A kind that a VMM takes no devices of while the VM runs. Refused, where v1 said that it had
 * succeeded (W33).
 */
export function unpluggable<H extends HostDevice>(vmm: string): VmmKind<H> {
  const refuse = ({ host }: KindRequest<H>): never => {
    throw new VmplugError('unsupported', {
      action: 'plan the device',
      subject: host.source,
      reason: `${vmm} takes no such device while the VM runs`,
      hint: 'plug it into a VM of QEMU',
      facts: { kind: host.kind },
    });
  };
  return { check: refuse, plan: refuse, guestAddress: refuse };
}

/**
 * Refuses a disk for what a VMM cannot do with it.
 * @param rules `true` where the rule is broken, with the reason and the way out
 * @throws VmplugError `unsupported` for the first rule that is broken
 */
export function refuseDisk(
  { host }: KindRequest<HostDisk>,
  facts: VmmFacts,
  rules: readonly (readonly [broken: boolean, reason: string, hint: string])[],
): void {
  const [, reason, hint] = rules.find(([broken]) => broken) ?? [];
  if (reason === undefined || hint === undefined) return;
  throw new VmplugError('unsupported', {
    action: 'plan the disk',
    subject: host.source,
    reason,
    hint,
    facts: { vmm: facts.type },
  });
}
