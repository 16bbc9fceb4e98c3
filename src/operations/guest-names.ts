import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { ExchangeOptions, GuestNames, Hypervisor } from '../api/hypervisor.ts';
import { unitsOf } from '../api/plan.ts';
import type { Transaction } from '../store/store.ts';

/** Of a VM whose devices are all in the records. */
export const noNames: GuestNames = { tags: new Map(), macs: new Map() };

/** The names that the VM's devices have, where `host` would bring one more. */
export async function namesInGuest(
  hypervisor: Hypervisor,
  host: HostDevice,
  options: ExchangeOptions,
): Promise<GuestNames> {
  return nameOf(host) === undefined ? noNames : hypervisor.guestNames(options);
}

/**
 * Refuses a device whose tag or hardware address another one in the VM has: the guest would find one of
 * the two, and nobody says which. Our own are in the records, also those that are on their way.
 * @param present what the VMM said, for what somebody else plugged
 * @throws VmplugError `tag-in-use`, `mac-in-use`; both name the device
 */
export function refuseTakenName(tx: Transaction, attachment: AttachmentRecord, present: GuestNames): void {
  const wanted = nameOf(attachment.host);
  if (wanted === undefined) return;
  const own = tx
    .attachments(attachment.sandbox)
    .find(({ id, host }) => id !== attachment.id && isSame(nameOf(host), wanted));
  if (own !== undefined) {
    throw taken(attachment, wanted, own.id, `vmplug detach ${own.sandbox} ${own.id} takes that one out`);
  }
  const before = tx.attachment(attachment.id);
  const ofItself = before === undefined ? [] : unitsOf(before).map(({ vmmId }) => vmmId);
  const foreign = (wanted.kind === 'tag' ? present.tags : present.macs).get(wanted.name);
  if (foreign !== undefined && !ofItself.includes(foreign)) {
    throw taken(attachment, wanted, foreign, 'somebody else plugged that one: vmplug has no record of it');
  }
}

interface Name {
  readonly kind: 'tag' | 'mac';
  readonly name: string;
}

function nameOf(host: HostDevice): Name | undefined {
  if (host.kind === 'vhost-user-fs' && host.tag !== undefined) return { kind: 'tag', name: host.tag };
  if (host.kind === 'vhost-user-net' && host.mac !== undefined) {
    return { kind: 'mac', name: host.mac.toLowerCase() };
  }
  return undefined;
}

function isSame(one: Name | undefined, other: Name): boolean {
  return one?.kind === other.kind && one.name === other.name;
}

function taken(
  { source, sandbox }: AttachmentRecord,
  { kind, name }: Name,
  holder: string,
  way: string,
): Error {
  const what = kind === 'tag' ? 'tag' : 'MAC address';
  return new VmplugError(`${kind}-in-use`, {
    action: 'attach',
    subject: source,
    reason: `the ${what} ${name} is that of ${holder || 'another device'} in ${sandbox} already`,
    hint: `choose another --${kind}; ${way}`,
    facts: { [kind]: name, device: holder },
  });
}
