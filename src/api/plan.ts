import type { JsonObject } from './json.ts';

/** One request as it goes over the wire to a VMM. For QEMU `execute` is a QMP command. */
export interface Command {
  readonly execute: string;
  readonly arguments?: JsonObject;
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

/**
 * How one device is attached and detached: the steps in order, each with its undo. Made by
 * pure functions, printed by `attach --dry-run`, journalled before the first step runs.
 *
 * Detaching is the undos in reverse order: what requests the removal first, and what
 * releases the back end only after the removal is confirmed.
 */
export interface Plan {
  /** The VMM's name of the device, by which it is observed and unplugged. */
  readonly vmmId: string;
  readonly steps: readonly AttachStep[];
}

/** The command that requests the removal of the device of `plan`. */
export function unplugCommand(plan: Plan): Command | undefined {
  return plan.steps.find((step) => step.undoIsRequest)?.undo;
}

/** The commands that release the back end of `plan`, in the order in which they must go out. */
export function releaseCommands(plan: Plan): Command[] {
  return plan.steps
    .filter((step) => !step.undoIsRequest)
    .map((step) => step.undo)
    .toReversed();
}
