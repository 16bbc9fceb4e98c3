import type { AttachmentRecord } from '../../api/attachment.ts';
import { reaches } from '../../api/evidence.ts';
import type { Observation, VmStatus } from '../../api/hypervisor.ts';
import type { OperationRecord } from '../../api/operation.ts';
import { person, repairs, type PlanStep } from './finding.ts';

/** What is known of an attachment that is between two states. */
export interface Pending {
  readonly attachment: AttachmentRecord;
  /** The newest in the journal. */
  readonly operation?: OperationRecord;
  /** Whether a living process works on it. */
  readonly isRunning: boolean;
  readonly status: VmStatus;
  /** Of the first of its functions that the VM has. */
  readonly observation: Observation;
  /** Whether the VM has all of its functions. */
  readonly isWhole: boolean;
  /** Unix milliseconds. */
  readonly now: number;
}

/** Why an operation has not ended, and what may safely be done next. */
export interface Stuck {
  readonly why: string;
  readonly next: readonly PlanStep[];
}

/** The 5 s that a guest leaves to change one's mind after the button, and what it takes then. */
const nativeUnplugMs = 7_000;

/** Why an attachment is neither attached nor gone, by what is the first to stand in the way. Pure. */
export function whyStuck(pending: Pending): Stuck {
  const { attachment, operation, isRunning, observation, now } = pending;
  if (isRunning && operation !== undefined) {
    return {
      why: `process ${operation.owner.pid} is at it (${operation.action}), for ${seconds(operation.deadlineAt - now)} at most`,
      next: [person('wait until it has ended')],
    };
  }
  if (!observation.present) {
    return {
      why: `nobody has asked the VM since ${last(operation)}: it does not have the device`,
      next: [repairs('release its back end in the VM, then free its place and its claims')],
    };
  }
  if (attachment.state !== 'detaching' && !pending.isWhole) {
    return {
      why: `nobody has asked the VM since ${last(operation)}: it has only a part of the group`,
      next: [
        repairs('record that the rest of it is to leave'),
        person(`vmplug detach ${attachment.sandbox} ${attachment.id}`),
      ],
    };
  }
  if (attachment.state !== 'detaching') {
    return {
      why: `nobody has asked the VM since ${last(operation)}: it has the device`,
      next: [repairs('record it as attached, with what the VM says of it')],
    };
  }
  return stuckInGuest(pending);
}

function stuckInGuest({ attachment, operation, status, observation, now }: Pending): Stuck {
  const { id, sandbox, source, place } = attachment;
  const again = person(`vmplug detach ${sandbox} ${id} --timeout 60s`);
  if (status === 'paused' || status === 'not-started') {
    return {
      why: `the VM is ${status === 'paused' ? 'paused' : 'not started yet'}, so its guest cannot let go of anything`,
      next: [person('resume the VM'), again],
    };
  }
  if (observation.backend === 'lost') {
    return {
      why: `the program that serves ${source} has ended: a guest that waits for its answer does not let go`,
      next: [
        again,
        person(`if that does not help, end the VM, which frees it: vmplug sandbox stop ${sandbox}`),
      ],
    };
  }
  if (!reaches(observation.evidence, observation.best)) {
    return {
      why: `no driver of the guest runs it (${observation.evidence ?? 'nothing'} is all that is seen): the guest has not booted that far, or has no driver for it or for hot-plug, and a request from before that may be lost`,
      next: [person('wait until the guest is up'), again],
    };
  }
  const left = operation === undefined ? 0 : operation.startedAt + nativeUnplugMs - now;
  if (place.unplug === 'pcie-native' && left > 0) {
    return {
      why: `its port is native PCI Express: the guest takes 5 to 6 s, and was asked ${seconds(now - (operation?.startedAt ?? now))} ago`,
      next: [person(`wait ${seconds(left)}`), again],
    };
  }
  const slow = place.unplug === 'pcie-native' ? ' (5 to 6 s are usual on its native PCI Express port)' : '';
  return {
    why: `the guest was asked and has not let go${slow}: something there may still use it; whether it is mounted in the guest cannot be known from here`,
    next: [person('in the guest: unmount it, and end what uses it'), again],
  };
}

function last(operation: OperationRecord | undefined): string {
  if (operation === undefined) return 'it was recorded';
  const end = operation.state === 'running' ? 'its process ended' : `it ended as ${operation.state}`;
  return `its last ${operation.action}, when ${end}`;
}

function seconds(milliseconds: number): string {
  return `${Math.max(0, Math.ceil(milliseconds / 1000))} s`;
}
