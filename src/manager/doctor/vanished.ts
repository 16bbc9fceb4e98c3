import { unitsOf } from '../../api/plan.ts';
import { runningOperation } from '../../operations/journal.ts';
import { settleAttachment } from '../../operations/settle.ts';
import { person, repairs, type Finding } from './finding.ts';
import { asking, type Look } from './look.ts';

/**
 * Devices that are recorded as attached and that the VM no longer has: the guest ejected them. The
 * records are read before the VM is asked, so that a device that is attached meanwhile is not missed.
 */
export async function vanished(context: Look, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const attached = store.read((tx) =>
    tx
      .attachments(sandbox.name)
      .filter(({ id, state }) => state === 'attached' && runningOperation(tx, id) === undefined),
  );
  const inventory = await hypervisor.inventory(asking(context));
  const missing = attached.filter((attachment) =>
    unitsOf(attachment).some(({ vmmId }) => !inventory.devices.includes(vmmId)),
  );
  const findings: Finding[] = [];
  for (const attachment of missing) {
    const { id, source } = attachment;
    const isWhole = unitsOf(attachment).every(({ vmmId }) => !inventory.devices.includes(vmmId));
    const settled = repair ? await settleAttachment(context, id) : undefined;
    const rest = `vmplug detach ${sandbox.name} ${id}`;
    findings.push({
      problem: 'vanished',
      sandbox: sandbox.name,
      device: id,
      what: `${source} is recorded as attached, but the VM no longer has ${isWhole ? 'it' : 'all of it'}: the guest let go of it by itself`,
      remedy: isWhole
        ? 'its back end is released and its claim freed'
        : `the rest is of no use to the guest: ${rest} takes it out, and it stays claimed until then`,
      plan: isWhole
        ? [repairs('release its back end in the VM, then free its place and its claims')]
        : [repairs('record that the rest of it is to leave'), person(rest)],
      truths: { recorded: 'attached', vmm: isWhole ? 'does not have it' : 'has a part of it' },
      repaired: settled === 'released',
    });
  }
  return findings;
}
