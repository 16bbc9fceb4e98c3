import type { JsonObject } from './json.ts';
import type { Place } from './place.ts';

/** What is made sure of before a command goes out: that the program behind a socket speaks a protocol. */
export interface PeerCheck {
  /** The path of the socket. */
  readonly connectTo: string;
  readonly protocol: 'vhost-user';
  /**
   * What becomes of the connection over which it was asked: it goes out with the command, as a descriptor,
   * or it is closed before.
   */
  readonly afterwards: 'hand-over' | 'leave';
}

/** One request as it goes over the wire to a VMM. For QEMU `execute` is a QMP command. */
export interface Command {
  readonly execute: string;
  readonly arguments?: JsonObject;
  /** Where it fails, neither this command nor one behind it goes out. */
  readonly peer?: PeerCheck;
}

/** One step of an attach, with what takes it back. */
export interface AttachStep {
  /** What the step does, for people: `add the block node`. */
  readonly summary: string;
  readonly run: Command;
  readonly undo: Command;
  /** The undo is a request; later undos wait until the removal is confirmed. */
  readonly undoIsRequest?: true;
}

/** One device in a VMM, at its place. */
export interface PlannedUnit {
  /** The VMM's name of it, by which it is observed and unplugged. */
  readonly vmmId: string;
  readonly place: Place;
}

/**
 * How one device is attached and detached: the steps in order, each with its undo. Made by
 * pure functions, printed by `attach --dry-run`, journalled before the first step runs.
 *
 * Detaching is the undos in reverse order: what requests the removal first, and what
 * releases the back end only after the removal is confirmed.
 */
export interface Plan {
  /** The VMM's name of the device, of the first one where it is a group. */
  readonly vmmId: string;
  readonly steps: readonly AttachStep[];
  /** What goes in and out together with it: the other functions of its IOMMU group. */
  readonly further?: readonly PlannedUnit[];
  /** Why it cannot be taken out of a running VM; `undefined` when it can. */
  readonly staysUntilVmEnds?: string;
}

/** Every device that an attachment has in the VMM, the first one first. */
export function unitsOf({ plan, place }: { readonly plan: Plan; readonly place: Place }): PlannedUnit[] {
  return [{ vmmId: plan.vmmId, place }, ...(plan.further ?? [])];
}

/** The commands that request the removal of the devices of `plan`, in the order of its units. */
export function unplugCommands(plan: Plan): Command[] {
  return plan.steps.filter((step) => step.undoIsRequest).map((step) => step.undo);
}

/** The VMM's names of the back ends of `plan`: block nodes, objects, character devices, network back ends. */
export function backendNames(plan: Plan): string[] {
  return releaseCommands(plan).flatMap(({ arguments: given }) => {
    const name = given?.['node-name'] ?? given?.['id'];
    return typeof name === 'string' ? [name] : [];
  });
}

/** Whether `plan` hands a descriptor to the VMM, which no inventory lists. */
export function handsOver(plan: Plan): boolean {
  return plan.steps.some(({ run }) => run.peer?.afterwards === 'hand-over');
}

/** The commands that release the back end of `plan`, in the order in which they must go out. */
export function releaseCommands(plan: Plan): Command[] {
  return plan.steps
    .filter((step) => !step.undoIsRequest)
    .map((step) => step.undo)
    .toReversed();
}
