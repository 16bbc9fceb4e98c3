import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode } from '../api/errors.ts';
import { reaches } from '../api/evidence.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { unitsOf, unplugCommands, type Command, type PlannedUnit } from '../api/plan.ts';
import { vmmPatienceMs } from './context.ts';
import type { Deadline } from './deadline.ts';
import { hear, newUnplug, next, type UnplugInput, type UnplugOutcome } from './unplug-machine.ts';
import { politeAfterMs, Sleeper } from './wait.ts';

export interface Unplugged {
  readonly outcome: UnplugOutcome;
  /** Whether the guest was asked, or has let go of a part; while neither is so, nothing has changed. */
  readonly requested: boolean;
  /** Devices that the VM no longer has, by the VMM's name of them. */
  readonly released: readonly string[];
}

/**
 * Asks the guest to let go of everything that an attachment has in the VM, at once, and waits
 * until the VMM says that it has. A group is released when all of it is.
 * @throws VmplugError what the VMM throws; `vm-gone` and `outcome-unknown` when it is lost
 */
export async function unplug(
  hypervisor: Hypervisor,
  attachment: AttachmentRecord,
  deadline: Deadline,
): Promise<Unplugged> {
  const units = unitsOf(attachment);
  // All are waited for, so that nothing goes on behind the back of whoever hears of a failure.
  const settled = await Promise.allSettled(
    unplugCommands(attachment.plan).flatMap((command, index) => {
      const unit = units[index];
      return unit === undefined ? [] : [unplugUnit(hypervisor, unit, command, deadline)];
    }),
  );
  const ends = settled.map((end) => (end.status === 'fulfilled' ? end.value : undefined));
  const released = units.filter((_, index) => ends[index]?.outcome === 'released').map(({ vmmId }) => vmmId);
  const broken = settled.filter((end) => end.status === 'rejected');
  const lost = broken.find(({ reason }) => !hasCode(reason, 'vmm-refused'));
  if (lost !== undefined) throw lost.reason;
  const worst = outcomeOfAll(ends.flatMap((end) => end ?? []));
  const isOpen = worst !== undefined && worst.requested && worst.outcome !== 'refused';
  const [refusal] = broken;
  if (refusal !== undefined && !isOpen) {
    // Nothing has left and nothing still may: the refusal is all there is to say.
    if (released.length === 0) throw refusal.reason;
    return { outcome: 'refused', requested: true, released };
  }
  return {
    outcome: worst?.outcome ?? 'released',
    requested: released.length > 0 || ends.some((end) => end?.requested === true),
    released,
  };
}

type UnitEnd = Omit<Unplugged, 'released'>;

/**
 * What keeps a group from being released. A request that still stands comes first: its function may
 * leave at any time, so nothing is settled, whatever became of the others.
 */
function outcomeOfAll(ends: readonly UnitEnd[]): UnitEnd | undefined {
  const kept = ends.filter(({ outcome }) => outcome !== 'released');
  return (
    kept.find(({ outcome, requested }) => requested && outcome !== 'refused') ??
    kept.find(({ outcome }) => outcome === 'refused') ??
    kept[0]
  );
}

/**
 * Asks the guest to let go of one device. Runs the unplug state machine; what it decides on is in
 * `unplug-machine.ts`.
 * @throws VmplugError as {@link unplug}
 */
export async function unplugUnit(
  hypervisor: Hypervisor,
  { vmmId, place }: PlannedUnit,
  command: Command,
  deadline: Deadline,
): Promise<UnitEnd> {
  const policy = hypervisor.unplugPolicy(place);
  const sleeper = new Sleeper();
  const started = performance.now();
  let state = newUnplug(performance.now(), 'running');
  const take = (input: UnplugInput): void => {
    state = hear(state, input);
    sleeper.wake();
  };
  // Listening starts before the request, so that no answer can come too early.
  using listening = new DisposableStack();
  listening.defer(hypervisor.onDeviceEvent(vmmId, (event) => take({ heard: 'event', event })));
  listening.defer(hypervisor.onLost(() => sleeper.wake()));
  for (;;) {
    const requested = state.requests > 0;
    if (deadline.signal?.aborted === true) return { outcome: state.outcome ?? 'expired', requested };
    const action = next(state, policy, performance.now(), deadline.at);
    switch (action.do) {
      case 'end':
        return { outcome: action.outcome, requested };
      case 'send': {
        const reply = await hypervisor.requestUnplug(command, { timeoutMs: vmmPatienceMs });
        take({ heard: 'reply', reply, now: performance.now() });
        break;
      }
      case 'look':
        take(await look(hypervisor, { vmmId, place }, deadline));
        break;
      case 'wait':
        if (performance.now() - started > politeAfterMs) await hypervisor.giveWay();
        await sleeper.sleep(action.until - performance.now(), deadline.signal);
        break;
    }
  }
}

/** The least time for a question, in milliseconds: nothing is lost when its answer is not waited for. */
const lookPatienceMs = 2_000;

async function look(
  hypervisor: Hypervisor,
  { vmmId, place }: PlannedUnit,
  deadline: Deadline,
): Promise<UnplugInput> {
  const options = { timeoutMs: deadline.exchange(lookPatienceMs).timeoutMs };
  const [{ present, evidence, best }, status] = await Promise.all([
    hypervisor.observe(vmmId, place, options),
    hypervisor.status(options),
  ]);
  return { heard: 'look', present, live: reaches(evidence, best), status, now: performance.now() };
}
