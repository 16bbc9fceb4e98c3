import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { GuestNames, Hypervisor } from '../api/hypervisor.ts';
import { generationOf } from '../api/names.ts';
import type { OperationRecord } from '../api/operation.ts';
import { placeKey, type Bus } from '../api/place.ts';
import { unitsOf } from '../api/plan.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { deviceNeeds } from '../devices/kinds.ts';
import type { Claims, Transaction } from '../store/store.ts';
import type { AttachRequest, DecidedRequest } from './attach-request.ts';
import { choosePlaces } from './choose-place.ts';
import type { OperationContext } from './context.ts';
import { draftAttachment } from './draft-attachment.ts';
import { noNames, refuseTakenName } from './guest-names.ts';
import { newId, openOperation } from './journal.ts';
import type { Stopwatch } from './stopwatch.ts';

/** An attach whose intent is durable. */
export interface Begun {
  readonly attachment: AttachmentRecord;
  readonly operation: OperationRecord;
}

/**
 * Plans, and makes the intent durable before the first side effect, in one transaction; operations
 * that begin at the same time share its commit.
 * @throws VmplugError as {@link enter}
 */
export async function begin(
  context: OperationContext,
  request: DecidedRequest,
  host: HostDevice,
  buses: readonly Bus[],
  watch: Stopwatch,
  names: GuestNames,
): Promise<Begun> {
  const begun = await context.store.writeTogether((tx) =>
    enter(tx, context, request, host, buses, watch, names),
  );
  watch.lap('journal');
  return begun;
}

/** What an attachment is entered with; the VM need not run yet. */
export type EntryContext = Pick<OperationContext, 'sandbox' | 'owner'> & {
  readonly hypervisor: Pick<Hypervisor, 'facts'>;
};

/**
 * Plans an attach and enters it in the records: attachment, claims, places, operation.
 * @param names of devices that others may have plugged
 * @throws VmplugError `already-attached`, `claimed-elsewhere`, `no-free-place`, `bus-not-hotpluggable`,
 *   `tag-in-use`, `mac-in-use`; `sandbox-not-found` when the sandbox has been forgotten meanwhile
 */
export function enter(
  tx: Transaction & Claims,
  context: EntryContext,
  request: DecidedRequest,
  host: HostDevice,
  buses: readonly Bus[],
  watch: Stopwatch,
  names: GuestNames = noNames,
): Begun {
  refuseForgotten(tx, context.sandbox);
  const name = nextName(tx, request);
  // Before a place is looked for: the device itself may have the last one.
  refuseSecond(tx, context.sandbox.name, host, name.id);
  const givenOut = tx.takenPlaces(context.sandbox.name);
  const attachment = plan(context, request, host, buses, givenOut, name);
  watch.lap('plan');
  refuseTakenName(tx, attachment, names);
  tx.putAttachment(attachment);
  bySource(tx, host, () => tx.claim(host.identities, attachment.id, attachment.sandbox));
  takePlaces(tx, attachment);
  if (host.kind === 'block' && host.formatKey !== undefined) {
    tx.putImageFormat(host.formatKey, host.layers[0].format);
  }
  const operation = openOperation(tx, attachment, 'attach', context.owner, request.timeoutMs);
  return { attachment, operation };
}

/** Another VM may have been given the name since. */
function refuseForgotten(tx: Transaction, { name, createdAt }: SandboxRecord): void {
  if (tx.sandbox(name)?.createdAt === createdAt) return;
  throw new VmplugError('sandbox-not-found', {
    action: 'attach to',
    subject: name,
    reason: 'it was forgotten while its VM was looked at; nothing was sent',
    hint: 'vmplug sandbox ls lists what there is',
  });
}

/** The attachment as it will be: its place, its names in the VM, its steps. */
export function plan(
  context: EntryContext,
  request: DecidedRequest,
  host: HostDevice,
  buses: readonly Bus[],
  givenOut: ReadonlySet<string>,
  { id, generation }: DeviceName,
): AttachmentRecord {
  const { driver, options, peerChecks } = request;
  const needs = deviceNeeds({ driver, host, options });
  const { name, origin } = context.sandbox;
  const places = choosePlaces(buses, needs, givenOut, name, origin === 'adopted' ? 'last' : 'first');
  const { facts } = context.hypervisor;
  return draftAttachment(name, { id, generation, driver, host, options, places, facts, peerChecks });
}

/** What every name of an attach is made from. */
export type DeviceName = Pick<AttachmentRecord, 'id' | 'generation'>;

/** Names are used once in a VM's life: a device that comes again goes on counting. */
export function nextName(tx: Transaction, { id }: AttachRequest): DeviceName {
  if (id === undefined) return { id: newId(), generation: 1 };
  const before = tx
    .operations({ device: id })
    .flatMap((operation) => [operation.plan, ...(operation.plan.further ?? [])])
    .map(({ vmmId }) => generationOf(vmmId));
  return { id, generation: Math.max(0, ...before) + 1 };
}

/** Gives the places of an attachment to it, and to nobody else. */
export function takePlaces(tx: Transaction, attachment: AttachmentRecord): void {
  for (const { place } of unitsOf(attachment)) {
    tx.takePlace(attachment.sandbox, placeKey(place), attachment.id);
  }
}

/**
 * A second device on the same host device in one VM would spoil it, however it is opened.
 * @throws VmplugError `already-attached`
 */
export function refuseSecond(
  tx: Transaction & Claims,
  sandbox: string,
  { identities: [{ key }], source }: HostDevice,
  id: string,
): void {
  const holders = tx
    .holders(key)
    .filter((holder) => holder.sandbox === sandbox)
    .map(({ device }) => tx.attachment(device))
    .filter((holder) => holder?.host.identities[0].key === key);
  const other = tx.attachment(id) ?? holders[0];
  if (other === undefined) return;
  throw new VmplugError('already-attached', {
    action: 'attach',
    subject: source,
    reason: `${sandbox} has it already, as ${other.id}`,
    hint:
      other.plan.staysUntilVmEnds === undefined
        ? `vmplug inspect ${other.id} shows it; vmplug detach ${sandbox} ${other.id} takes it out`
        : `vmplug inspect ${other.id} shows it; it stays until the VM ends`,
    facts: { holder: sandbox, device: other.id },
  });
}

/**
 * Runs what claims or checks the identities of a host device; a clash is told by its source, with a way out
 * that there is.
 * @throws VmplugError as `Claims.claim`
 */
export function bySource(tx: Transaction, { source }: HostDevice, claims: () => void): void {
  try {
    claims();
  } catch (error) {
    if (!hasCode(error, 'already-attached', 'claimed-elsewhere')) throw error;
    const holder = tx.attachment(String(error.facts['device']));
    const stays = holder?.plan.staysUntilVmEnds !== undefined;
    const { hint } = stays
      ? { hint: `it stays there until the VM ends: vmplug sandbox stop ${holder.sandbox}` }
      : error;
    throw new VmplugError(error.code, {
      action: 'attach',
      subject: source,
      reason: error.reason,
      ...(hint === undefined ? {} : { hint }),
      facts: { ...error.facts, key: error.subject },
      cause: error,
    });
  }
}
