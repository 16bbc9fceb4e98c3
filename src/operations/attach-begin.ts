import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDisk } from '../api/host-device.ts';
import { serialOf } from '../api/names.ts';
import type { OperationRecord } from '../api/operation.ts';
import { placeKey, type Bus } from '../api/place.ts';
import { blockGuestAddress, blockNeeds, planBlock } from '../devices/block.ts';
import type { Transaction } from '../store/store.ts';
import type { AttachRequest } from './attach-request.ts';
import { choosePlace } from './choose-place.ts';
import type { OperationContext } from './context.ts';
import { newId, openOperation } from './journal.ts';
import type { Stopwatch } from './stopwatch.ts';

/** An attach whose intent is durable. */
export interface Begun {
  readonly attachment: AttachmentRecord;
  readonly operation: OperationRecord;
}

/** Plans, and makes the intent durable: one transaction, before the first side effect. */
export function begin(
  context: OperationContext,
  request: AttachRequest,
  disk: HostDisk,
  buses: readonly Bus[],
  watch: Stopwatch,
): Begun {
  const begun = context.store.write((tx) => {
    const attachment = plan(context, request, disk, buses, tx.takenPlaces(context.sandbox.name), newId(), 1);
    watch.lap('plan');
    refuseSecond(tx, attachment);
    tx.putAttachment(attachment);
    tx.claim(disk.identities, attachment.id, attachment.sandbox);
    tx.takePlace(attachment.sandbox, placeKey(attachment.place), attachment.id);
    if (disk.formatKey !== undefined) tx.putImageFormat(disk.formatKey, disk.layers[0].format);
    const operation = openOperation(tx, attachment, 'attach', context.owner, request.timeoutMs);
    return { attachment, operation };
  });
  watch.lap('journal');
  return begun;
}

/** The attachment as it will be: its place, its names in the VM, its steps. */
export function plan(
  context: OperationContext,
  request: AttachRequest,
  disk: HostDisk,
  buses: readonly Bus[],
  givenOut: ReadonlySet<string>,
  id: string,
  generation: number,
): AttachmentRecord {
  const { transport } = blockNeeds(request.driver, disk, request.options);
  const { name, origin } = context.sandbox;
  const place = choosePlace(buses, transport, givenOut, name, origin === 'adopted' ? 'last' : 'first');
  const serial = serialOf(id);
  return {
    id,
    sandbox: context.sandbox.name,
    source: disk.source,
    kind: disk.kind,
    driver: request.driver,
    state: 'attaching',
    host: disk,
    options: request.options,
    place,
    generation,
    plan: planBlock({ id, generation, serial, disk, options: request.options, place }),
    serial,
    guest: blockGuestAddress(place, serial),
    timeline: {},
    createdAt: Date.now(),
  };
}

/** A second device on the same image in one VM would spoil it, however it is opened. */
export function refuseSecond(tx: Transaction, attachment: AttachmentRecord): void {
  const key = attachment.host.identities[0].key;
  const other = tx.attachments(attachment.sandbox).find(({ host }) => host.identities[0].key === key);
  if (other === undefined) return;
  throw new VmplugError('already-attached', {
    action: 'attach',
    subject: attachment.source,
    reason: `${attachment.sandbox} has it already, as ${other.id}`,
    hint: `vmplug inspect ${other.id} shows it; vmplug detach ${attachment.sandbox} ${other.id} takes it out`,
    facts: { holder: attachment.sandbox, device: other.id },
  });
}
