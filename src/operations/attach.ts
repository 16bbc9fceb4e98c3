import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import type { BlockDriver } from '../api/device-type.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { Evidence } from '../api/evidence.ts';
import type { HostDisk, ImageFormat } from '../api/host-device.ts';
import { serialOf } from '../api/names.ts';
import type { OperationRecord, OperationState } from '../api/operation.ts';
import { placeKey, type Bus } from '../api/place.ts';
import { blockGuestAddress, blockNeeds, checkBlock, planBlock } from '../devices/block.ts';
import type { Transaction } from '../store/store.ts';
import { choosePlace } from './choose-place.ts';
import { confirm, type Confirmation } from './confirm.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { abandonOperation, closeOperation, newId, openOperation, updateAttachment } from './journal.ts';
import { runPlan } from './run-plan.ts';
import { isSilence, settleAfter, type Settled } from './settle.ts';
import { Stopwatch } from './stopwatch.ts';

export interface AttachRequest {
  /** Finds out what the source is on this host. */
  readonly resolve: (recordedFormat: (key: string) => ImageFormat | undefined) => Promise<HostDisk>;
  readonly driver: BlockDriver;
  readonly options: DiskOptions;
  readonly wait: Evidence;
  /** Milliseconds to wait for the guest. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** How often another place is tried when somebody else took the one that looked free. */
const placeTries = 3;

/**
 * Attaches a disk: resolve, plan, journal, run, confirm, record. Whatever fails before the VMM
 * has the device leaves nothing behind; after that the device is in the records, with the
 * evidence that was seen.
 * @throws VmplugError of any code; `deadline-passed` when the evidence did not come in time
 */
export async function attach(context: OperationContext, request: AttachRequest): Promise<AttachmentRecord> {
  const watch = new Stopwatch();
  const { disk, buses } = await prepare(context, request, watch);
  context.onProgress?.('plan and journal');
  const begun = begin(context, request, disk, buses, watch);
  try {
    return await carryOut(context, request, disk, begun, watch);
  } catch (error) {
    abandonOperation(begun.operation, error);
    throw error;
  }
}

async function carryOut(
  context: OperationContext,
  request: AttachRequest,
  disk: HostDisk,
  begun: Begun,
  watch: Stopwatch,
): Promise<AttachmentRecord> {
  let current = begun;
  context.onProgress?.('run');
  for (let tries = 1; ; tries += 1) {
    try {
      await runPlan(context.hypervisor, current.attachment.plan);
      break;
    } catch (error) {
      watch.lap('run');
      if (!context.hypervisor.isPlaceTaken(error) || tries === placeTries) {
        throw await giveUp(context, current, error, watch);
      }
      current = await moveElsewhere(context, request, disk, current, watch);
    }
  }
  watch.lap('run');
  context.onProgress?.(`wait until the guest's evidence is ${request.wait}`);
  return conclude(context, request, current, watch);
}

/**
 * What {@link attach} would do, found out without changing anything.
 * @throws VmplugError as {@link attach} would before its first step
 */
export async function planAttach(
  context: OperationContext,
  request: AttachRequest,
): Promise<AttachmentRecord> {
  const watch = new Stopwatch();
  const { disk, buses } = await prepare(context, request, watch);
  return context.store.read((tx) => {
    const draft = plan(context, request, disk, buses, tx.takenPlaces(context.sandbox.name), newId(), 1);
    refuseSecond(tx, draft);
    for (const identity of disk.identities) tx.checkClaim(identity, draft.id, draft.sandbox);
    return { ...draft, timeline: watch.timeline() };
  });
}

interface Begun {
  readonly attachment: AttachmentRecord;
  readonly operation: OperationRecord;
}

async function prepare(
  context: OperationContext,
  request: AttachRequest,
  watch: Stopwatch,
): Promise<{ disk: HostDisk; buses: Bus[] }> {
  const disk = await request.resolve((key) => context.store.read((tx) => tx.imageFormat(key)));
  watch.lap('resolve');
  checkBlock(request.driver, disk, request.options, context.hypervisor.facts);
  const limits = new Deadline(vmmPatienceMs, request.signal).exchange();
  const [status, buses] = await Promise.all([
    context.hypervisor.status(limits),
    context.hypervisor.buses(limits),
  ]);
  if (status !== 'running' && request.wait !== 'acknowledged') {
    throw new VmplugError('vm-paused', {
      action: 'attach to',
      subject: context.sandbox.name,
      reason: `the VM is ${status}, so its guest cannot take the device`,
      hint: 'resume the VM, or attach with --wait acknowledged and let the guest find it later',
      facts: { status },
    });
  }
  // From here on nothing is given up half done.
  if (request.signal?.aborted === true) {
    throw new VmplugError('aborted', {
      action: 'attach',
      subject: disk.source,
      reason: 'given up by the caller before anything was done',
      cause: request.signal.reason,
    });
  }
  return { disk, buses };
}

/** Plans, and makes the intent durable: one transaction, before the first side effect. */
function begin(
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

function plan(
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
function refuseSecond(tx: Transaction, attachment: AttachmentRecord): void {
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

/** Somebody else plugged into our place between the look and the plug: take another one. */
async function moveElsewhere(
  context: OperationContext,
  request: AttachRequest,
  disk: HostDisk,
  { attachment, operation }: Begun,
  watch: Stopwatch,
): Promise<Begun> {
  try {
    const buses = await context.hypervisor.buses({ timeoutMs: vmmPatienceMs, fresh: true });
    return context.store.write((tx) => {
      const givenOut = tx.takenPlaces(context.sandbox.name);
      const { id, generation } = attachment;
      const moved = plan(context, request, disk, buses, givenOut, id, generation + 1);
      tx.freePlaces(id);
      tx.takePlace(moved.sandbox, placeKey(moved.place), id);
      tx.putAttachment(moved);
      const next = { ...operation, plan: moved.plan };
      tx.putOperation(next);
      return { attachment: moved, operation: next };
    });
  } catch (error) {
    throw await giveUp(context, { attachment, operation }, error, watch);
  }
}

/** The VMM does not have the device: everything is undone, or the VMM is asked what it has. */
async function giveUp(
  context: OperationContext,
  { attachment, operation }: Begun,
  error: unknown,
  watch: Stopwatch,
): Promise<unknown> {
  if (hasCode(error, 'outcome-unknown')) {
    context.store.write((tx) => {
      updateAttachment(tx, { ...attachment, state: 'unknown' });
      closeOperation(tx, operation, 'unknown', watch.timeline(), error);
    });
    const settled = await settleAfter(context, attachment.id, error);
    return settled === undefined ? error : lost(attachment, settled, error);
  }
  context.store.write((tx) => {
    tx.deleteAttachment(attachment.id);
    closeOperation(tx, operation, 'failed', watch.timeline(), error);
  });
  return context.hypervisor.isLocked(error) ? locked(attachment, error) : refused(attachment, error);
}

/** The VMM said yes to the plug and then stopped answering. */
function silent({ id, sandbox, source }: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'attach',
    subject: source,
    reason: `the VM has it as ${id}, but its VMM has stopped answering`,
    hint: `does the VM hang? The next command on ${sandbox} asks it again, as vmplug doctor --repair does`,
    cause,
    facts: { device: id },
  });
}

/** The connection was lost on the way, and the VMM has been asked since. */
function lost(attachment: AttachmentRecord, settled: Settled, cause: unknown): VmplugError {
  return new VmplugError(settled === 'gone' ? 'vm-gone' : 'outcome-unknown', {
    action: 'attach',
    subject: attachment.source,
    reason: `the connection to the VMM was lost; asked again, it ${settledWords[settled]}`,
    hint: settledHints[settled](attachment),
    cause,
    facts: { device: attachment.id, settled },
  });
}

const settledHints: Readonly<Record<Settled, (attachment: AttachmentRecord) => string>> = {
  gone: ({ sandbox }) => `vmplug sandbox forget ${sandbox} removes the record of the VM`,
  released: () => 'try again',
  attached: ({ id }) => `vmplug inspect ${id} shows it`,
  detaching: ({ sandbox, id }) => `to wait for it: vmplug detach ${sandbox} ${id}`,
};

const settledWords = {
  gone: 'has ended; nothing is attached any more',
  released: 'does not have the device; everything was undone',
  attached: 'has the device; it is recorded as attached',
  detaching: 'still has the device, and was asked to let go of it',
} as const;

function locked(attachment: AttachmentRecord, cause: unknown): VmplugError {
  return new VmplugError('source-locked', {
    action: 'attach',
    subject: attachment.source,
    reason: 'another process has the image locked, as a running VM does with its disks',
    hint: 'stop what uses it (lslocks and fuser show who), or attach with --read-only if that side reads only too',
    cause,
  });
}

function refused(attachment: AttachmentRecord, error: unknown): unknown {
  if (!hasCode(error, 'vmm-refused')) return error;
  return new VmplugError('vmm-refused', {
    action: 'attach',
    subject: attachment.source,
    reason: `${attachment.sandbox}'s VMM said: ${error.reason}`,
    hint: /Permission denied/.test(error.reason)
      ? 'the VMM runs as another user: let that user read and write the image'
      : 'nothing was changed; vmplug attach --dry-run shows the commands',
    cause: error.cause,
  });
}

/** Waits for the evidence and makes what was seen durable. */
async function conclude(
  context: OperationContext,
  request: AttachRequest,
  { attachment, operation }: Begun,
  watch: Stopwatch,
): Promise<AttachmentRecord> {
  const { hypervisor, store } = context;
  const deadline = new Deadline(request.timeoutMs, request.signal);
  let confirmation: Confirmation;
  try {
    confirmation = await confirm(hypervisor, attachment.plan.vmmId, attachment.place, request.wait, deadline);
  } catch (error) {
    watch.lap('confirm');
    store.write((tx) => {
      updateAttachment(tx, { ...attachment, state: 'unknown' });
      closeOperation(tx, operation, 'unknown', watch.timeline(), error);
    });
    const settled = await settleAfter(context, attachment.id, error);
    if (isSilence(error)) throw silent(attachment, error);
    if (settled === undefined || !hasCode(error, 'outcome-unknown', 'vm-gone')) throw error;
    throw lost(attachment, settled, error);
  }
  watch.lap('confirm');
  const { reached, evidence, guest } = confirmation;
  const attached = (timeline: AttachmentRecord['timeline']): AttachmentRecord => ({
    ...attachment,
    state: 'attached',
    ...(evidence === undefined ? {} : { evidence }),
    guest: { ...attachment.guest, ...guest },
    timeline,
  });
  const state: OperationState = reached ? 'done' : 'expired';
  try {
    const isKnown = store.writeSoon((tx) => {
      closeOperation(tx, operation, state, watch.timeline());
      return updateAttachment(tx, attached(watch.timeline()));
    });
    if (!isKnown) throw freedMeanwhile(attachment);
  } catch (error) {
    throw notRecorded(attachment, error);
  }
  watch.lap('record');
  if (reached) return attached(watch.timeline());
  throw notSeen(attachment, confirmation, request, deadline);
}

/** Somebody found that the VM has ended, and freed what its devices held. */
function freedMeanwhile(attachment: AttachmentRecord): VmplugError {
  return new VmplugError('vm-gone', {
    action: 'attach',
    subject: attachment.source,
    reason: `the VM of ${attachment.sandbox} ended meanwhile, and what its devices held was freed`,
    hint: 'vmplug sandbox ls shows which VMs run',
    facts: { device: attachment.id },
  });
}

/** The device is in the VM, and the journal says only that it was on its way: the next command settles it. */
function notRecorded(attachment: AttachmentRecord, error: unknown): unknown {
  if (!hasCode(error, 'state-unavailable')) return error;
  return new VmplugError('state-unavailable', {
    action: 'attach',
    subject: attachment.source,
    reason: `the VM has it as ${attachment.id}, but that could not be recorded: ${error.message}`,
    hint: `${error.hint ?? 'make the state writable'}; then vmplug doctor --repair records it`,
    cause: error,
    facts: { device: attachment.id },
  });
}

function notSeen(
  attachment: AttachmentRecord,
  { evidence = 'acknowledged' }: Confirmation,
  request: AttachRequest,
  deadline: Deadline,
): VmplugError {
  const gaveUp = deadline.signal?.aborted === true;
  return new VmplugError(gaveUp ? 'aborted' : 'deadline-passed', {
    action: 'attach',
    subject: attachment.source,
    reason: gaveUp
      ? `given up while waiting for the guest; it is in the VM as ${attachment.id}, ${evidence}`
      : `the VM has it as ${attachment.id}, but the guest did not get further than ${evidence} (wanted: ${request.wait}) in ${deadline.milliseconds} ms`,
    hint: `is the driver for ${attachment.driver} loaded in the guest, and is the guest up? It stays attached: vmplug inspect ${attachment.id} asks again, vmplug detach ${attachment.sandbox} ${attachment.id} takes it out`,
    facts: { device: attachment.id, evidence },
  });
}
