import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDisk } from '../api/host-device.ts';
import { placeKey, type Bus } from '../api/place.ts';
import { checkBlock } from '../devices/block.ts';
import { begin, plan, refuseSecond, type Begun } from './attach-begin.ts';
import { conclude, giveUp } from './attach-end.ts';
import type { AttachRequest } from './attach-request.ts';
import { vmmPatienceMs, type OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { abandonOperation, newId } from './journal.ts';
import { runPlan } from './run-plan.ts';
import { Stopwatch } from './stopwatch.ts';

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
