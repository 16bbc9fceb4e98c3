import { hasCode } from '../../api/errors.ts';
import type { Hypervisor } from '../../api/hypervisor.ts';
import { ownPrefix } from '../../api/names.ts';
import { backendNames, unitsOf } from '../../api/plan.ts';
import { orphanReleases } from '../../devices/orphan-releases.ts';
import { vmmPatienceMs, type OperationContext } from '../../operations/context.ts';
import { release } from '../../operations/run-plan.ts';
import { person, repairs, type Finding } from './finding.ts';

/** What carries our prefix in the VM and is in no record: left by a lost state directory, say. */
export async function orphans(context: OperationContext, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const inventory = await hypervisor.inventory({ timeoutMs: vmmPatienceMs });
  // Of every sandbox: two may be one VM, where that could not be told when they were adopted.
  const recorded = store.read((tx) => tx.attachments());
  const known = new Set(
    recorded.flatMap((attachment) => [
      ...unitsOf(attachment).map(({ vmmId }) => vmmId),
      ...backendNames(attachment.plan),
    ]),
  );
  const isOrphan = (name: string): boolean =>
    name.startsWith(ownPrefix) && !known.has(name) && !known.has(baseName(name));
  const devices = inventory.devices.filter(isOrphan);
  const backends = inventory.backends.filter(
    (name) => isOrphan(name) && name === baseName(name) && !devices.includes(name),
  );
  if (repair) {
    for (const id of devices) await askToLeave(hypervisor, id);
    await release(hypervisor, backends.flatMap(orphanReleases));
  }
  const left = repair ? (await hypervisor.inventory({ timeoutMs: vmmPatienceMs })).backends : backends;
  return [
    ...devices.map((id): Finding => ({
      problem: 'orphan-device',
      sandbox: sandbox.name,
      device: id,
      what: 'a device of ours that is in no record',
      remedy: 'the guest is asked to let go of it; run doctor again to release its back end',
      plan: [
        repairs('ask the guest to let go of it'),
        person('vmplug doctor --repair again, which releases its back end when it has left'),
      ],
      truths: { recorded: 'nothing', vmm: 'has it' },
      repaired: false,
    })),
    ...backends.map((name): Finding => ({
      problem: 'orphan-backend',
      sandbox: sandbox.name,
      device: name,
      what: 'a back end of ours without a device',
      remedy: 'it is released',
      plan: [repairs('release it in the VM')],
      truths: { recorded: 'nothing', vmm: 'has it' },
      repaired: !left.includes(name),
    })),
  ];
}

/** A device that cannot leave stays; the next doctor finds it again. */
async function askToLeave(hypervisor: Hypervisor, id: string): Promise<void> {
  try {
    const command = { execute: 'device_del', arguments: { id } };
    await hypervisor.requestUnplug(command, { timeoutMs: vmmPatienceMs });
  } catch (error) {
    if (!hasCode(error, 'vmm-refused', 'unplug-refused')) throw error;
  }
}

/** `vmplug-<id>-<generation>` of a node such as `vmplug-<id>-<generation>-f`. */
function baseName(name: string): string {
  return name.split('-').slice(0, 3).join('-');
}
