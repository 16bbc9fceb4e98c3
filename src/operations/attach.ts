import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { HostDevice } from '../api/host-device.ts';
import type { GuestNames } from '../api/hypervisor.ts';
import type { Bus } from '../api/place.ts';
import { checkDevice, driverFor } from '../devices/kinds.ts';
import { begin, bySource, nextName, plan, refuseSecond, takePlaces, type Begun } from './attach-begin.ts';
import { servedDevice } from './back-end-errors.ts';
import { conclude, giveUp } from './attach-end.ts';
import type { AttachRequest, DecidedRequest } from './attach-request.ts';
import { questionMs, vmmPatienceMs, type OperationContext } from './context.ts';
import { Deadline } from './deadline.ts';
import { bindGroup, giveBackAfter } from './group-drivers.ts';
import { namesInGuest, refuseTakenName } from './guest-names.ts';
import { abandonOperation } from './journal.ts';
import { peerChecksFor } from './peer-checks.ts';
import { runPlan } from './run-plan.ts';
import { Stopwatch } from './stopwatch.ts';

/** How often another place is tried when somebody else took the one that looked free. */
const placeTries = 3;

/**
 * Attaches a host device: resolve, plan, journal, run, confirm, record. Whatever fails before the VMM
 * has the device leaves nothing behind; after that the device is in the records, with the
 * evidence that was seen.
 * @throws VmplugError of any code; `deadline-passed` when the evidence did not come in time
 */
export async function attach(context: OperationContext, wanted: AttachRequest): Promise<AttachmentRecord> {
  const watch = new Stopwatch();
  const { request, host, buses, names } = await prepare(context, wanted, watch);
  context.onProgress?.('plan and journal');
  const begun = await begin(context, request, host, buses, watch, names);
  try {
    request.onPlanned?.(begun.attachment);
    return await carryOut(context, request, host, begun, watch);
  } catch (error) {
    abandonOperation(begun.operation, error);
    throw await giveBackAfter(context, begun.attachment, error);
  }
}

async function carryOut(
  context: OperationContext,
  request: DecidedRequest,
  host: HostDevice,
  begun: Begun,
  watch: Stopwatch,
): Promise<AttachmentRecord> {
  let current = begun;
  // What a program behind a socket answers, the caller's own limit is for.
  const patienceMs = servedDevice({ host }) === undefined ? vmmPatienceMs : request.timeoutMs;
  await bindGroup(context, begun, watch, request.signal);
  context.onProgress?.('run');
  for (let tries = 1; ; tries += 1) {
    try {
      await runPlan(context.hypervisor, current.attachment, patienceMs, request.signal);
      break;
    } catch (error) {
      watch.lap('run');
      if (!context.hypervisor.isPlaceTaken(error) || tries === placeTries) {
        throw await giveUp(context, current, error, watch);
      }
      current = await moveElsewhere(context, request, host, current, watch);
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
  wanted: AttachRequest,
): Promise<AttachmentRecord> {
  const watch = new Stopwatch();
  const { request, host, buses, names } = await prepare(context, wanted, watch);
  return context.store.read((tx) => {
    const name = nextName(tx, request);
    refuseSecond(tx, context.sandbox.name, host, name.id);
    const givenOut = tx.takenPlaces(context.sandbox.name);
    const draft = plan(context, request, host, buses, givenOut, name);
    refuseTakenName(tx, draft, names);
    bySource(tx, host, () => {
      for (const identity of host.identities) tx.checkClaim(identity, draft.id, draft.sandbox);
    });
    return { ...draft, timeline: watch.timeline() };
  });
}

interface Prepared {
  readonly request: DecidedRequest;
  readonly host: HostDevice;
  readonly buses: readonly Bus[];
  readonly names: GuestNames;
}

async function prepare(
  context: OperationContext,
  wanted: AttachRequest,
  watch: Stopwatch,
): Promise<Prepared> {
  const host = await wanted.resolve((key) => context.store.read((tx) => tx.imageFormat(key)));
  watch.lap('resolve');
  const request = { ...wanted, driver: driverFor(host, wanted.driver, context.hypervisor.facts) };
  checkDevice({ driver: request.driver, host, options: request.options }, context.hypervisor.facts);
  const limits = new Deadline(questionMs(request.timeoutMs), request.signal).exchange();
  const [status, buses, names, peerChecks] = await Promise.all([
    context.hypervisor.status(limits),
    context.hypervisor.buses(limits),
    namesInGuest(context.hypervisor, host, limits),
    peerChecksFor(context.hypervisor, host),
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
      subject: host.source,
      reason: 'given up by the caller before anything was done',
      cause: request.signal.reason,
    });
  }
  return { request: { ...request, peerChecks }, host, buses, names };
}

/** Somebody else plugged into our place between the look and the plug: take another one. */
async function moveElsewhere(
  context: OperationContext,
  request: DecidedRequest,
  host: HostDevice,
  { attachment, operation }: Begun,
  watch: Stopwatch,
): Promise<Begun> {
  try {
    const buses = await context.hypervisor.buses({ timeoutMs: vmmPatienceMs, fresh: true });
    return context.store.write((tx) => {
      const givenOut = tx.takenPlaces(context.sandbox.name);
      const name = { id: attachment.id, generation: attachment.generation + 1 };
      const moved = plan(context, request, host, buses, givenOut, name);
      tx.freePlaces(attachment.id);
      takePlaces(tx, moved);
      tx.putAttachment(moved);
      const next = { ...operation, plan: moved.plan };
      tx.putOperation(next);
      return { attachment: moved, operation: next };
    });
  } catch (error) {
    throw await giveUp(context, { attachment, operation }, error, watch);
  }
}
