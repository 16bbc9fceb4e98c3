import type { AttachmentRecord } from '../api/attachment.ts';
import { reaches } from '../api/evidence.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { unplugCommand } from '../api/plan.ts';
import { vmmPatienceMs } from './context.ts';
import type { Deadline } from './deadline.ts';
import { hear, newUnplug, next, type UnplugInput, type UnplugOutcome } from './unplug-machine.ts';
import { politeAfterMs, Sleeper } from './wait.ts';

export interface Unplugged {
  readonly outcome: UnplugOutcome;
  /** Whether the guest was asked; while it was not, nothing has changed. */
  readonly requested: boolean;
}

/**
 * Asks the guest to let go of a device and waits until the VMM says that it has. Runs the
 * unplug state machine; what it decides on is in `unplug-machine.ts`.
 * @throws VmplugError what the VMM throws; `vm-gone` and `outcome-unknown` when it is lost
 */
export async function unplug(
  hypervisor: Hypervisor,
  attachment: AttachmentRecord,
  deadline: Deadline,
): Promise<Unplugged> {
  const command = unplugCommand(attachment.plan);
  if (command === undefined) return { outcome: 'released', requested: false };
  const vmmId = attachment.plan.vmmId;
  const policy = hypervisor.unplugPolicy(attachment.place);
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
        take(await look(hypervisor, attachment, deadline));
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
  attachment: AttachmentRecord,
  deadline: Deadline,
): Promise<UnplugInput> {
  const options = { timeoutMs: deadline.exchange(lookPatienceMs).timeoutMs };
  const [observation, status] = await Promise.all([
    hypervisor.observe(attachment.plan.vmmId, attachment.place, options),
    hypervisor.status(options),
  ]);
  return {
    heard: 'look',
    present: observation.present,
    live: reaches(observation.evidence, 'live'),
    status,
    now: performance.now(),
  };
}
