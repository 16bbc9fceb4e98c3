import type { AttachmentRecord } from '../api/attachment.ts';
import { unitsOf } from '../api/plan.ts';
import { hostSteps } from '../devices/host-steps.ts';
import { timelineText } from './device-document.ts';
import { addressText, functionLines } from './guest-text.ts';
import { note, print, printable } from './output.ts';

/** A plan under `--json`. */
export function planDocument(planned: AttachmentRecord): object {
  const { sandbox, source, kind, driver, host, place, plan } = planned;
  return {
    sandbox,
    source,
    kind,
    driver,
    place,
    places: unitsOf(planned).map((unit) => unit.place),
    vmmId: plan.vmmId,
    staysUntilVmEnds: plan.staysUntilVmEnds ?? null,
    host: hostSteps(host),
    steps: plan.steps,
  };
}

/** A plan for people. */
export function printPlan(planned: AttachmentRecord): void {
  const { plan, sandbox, source, host } = planned;
  for (const step of hostSteps(host)) {
    print(`attaching ${printable(source)} to ${sandbox} would first, on this host:`);
    print(`0. ${step.summary}`);
    print(`   undo  ${step.undo}`);
  }
  print(`attaching ${printable(source)} to ${sandbox} would send:`);
  plan.steps.forEach((step, index) => {
    print(`${index + 1}. ${step.summary}`);
    print(`   do    ${JSON.stringify(step.run)}`);
    print(`   undo  ${JSON.stringify(step.undo)}`);
  });
  const stays = staysText(planned);
  if (stays !== undefined) print(`it ${stays}`);
}

/** What is attached, for people. */
export function printAttached(attached: AttachmentRecord): void {
  const { id, sandbox, source, evidence, timeline } = attached;
  print(`${id}  ${printable(source)} is attached to ${sandbox}: ${evidence}`);
  print(`  in the guest  ${printable(addressText(attached))}`);
  for (const line of functionLines(attached)) print(`                ${line}`);
  const stays = staysText(attached);
  if (stays !== undefined) print(`  it ${stays}`);
  print(`  timeline      ${timelineText(timeline)}`);
}

/** Says before anything is done what cannot be taken back. */
export function warnOfStaying(planned: AttachmentRecord): void {
  const stays = staysText(planned);
  if (stays !== undefined) note(`${printable(planned.source)} ${stays}`);
}

/** Says of what cannot leave a running VM that it stays. To be told before it is attached, too. */
export function staysText({
  plan: { staysUntilVmEnds },
}: Pick<AttachmentRecord, 'plan'>): string | undefined {
  return staysUntilVmEnds === undefined ? undefined : `stays until the VM ends: ${staysUntilVmEnds}`;
}
