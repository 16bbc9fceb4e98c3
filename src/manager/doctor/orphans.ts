import { hasCode } from '../../api/errors.ts';
import type { Hypervisor, PluggedDevice } from '../../api/hypervisor.ts';
import { ownPrefix } from '../../api/names.ts';
import { backendNames, unitsOf } from '../../api/plan.ts';
import { orphanReleases } from '../../devices/orphan-releases.ts';
import { vmmPatienceMs } from '../../operations/context.ts';
import { release } from '../../operations/run-plan.ts';
import { person, repairs, type Finding } from './finding.ts';
import { asking, type Look } from './look.ts';
import { releasable, type Release } from './release.ts';

/**
 * What carries our prefix in the VM and is in no record: left by a lost or damaged state, or recorded in
 * another state directory. Such a device may be what the guest works on: it stays unless its release was
 * asked for by name. Repairing releases back ends that no device uses.
 */
export async function orphans(
  context: Look,
  repair: boolean,
  asked: readonly Release[] = [],
): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const inventory = await hypervisor.inventory(asking(context));
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
  const isAsked = (id: string): boolean =>
    asked.some((each) => each.sandbox === sandbox.name && each.device === releasable(id));
  const told = await describe(context, devices);
  if (repair) {
    for (const id of devices.filter(isAsked)) await askToLeave(hypervisor, id);
    await release(hypervisor, backends.flatMap(orphanReleases));
  }
  const left = repair ? (await hypervisor.inventory(asking(context))).backends : backends;
  return [
    ...devices.map((id) => orphanDevice(sandbox.name, id, told.get(id), repair && isAsked(id))),
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

async function describe(context: Look, ids: readonly string[]): Promise<ReadonlyMap<string, PluggedDevice>> {
  if (ids.length === 0) return new Map();
  const told = (await context.hypervisor.describeDevices?.(ids, asking(context))) ?? [];
  return new Map(told.map((device) => [device.id, device]));
}

function orphanDevice(
  sandbox: string,
  id: string,
  told: PluggedDevice | undefined,
  isReleased: boolean,
): Finding {
  const model = told === undefined ? '' : ` (${told.model})`;
  const using = told === undefined || told.uses.length === 0 ? '' : `, using ${told.uses.join(', ')}`;
  const about = {
    problem: 'orphan-device',
    sandbox,
    device: id,
    what: `a device of ours${model}${using} that is in no record`,
    truths: { recorded: 'nothing', vmm: 'has it' },
    repaired: false,
  } as const;
  const again = person('vmplug doctor --repair, which releases its back end when it has left');
  if (isReleased) {
    return {
      ...about,
      remedy: 'the guest is asked to let go of it; run doctor --repair again to release its back end',
      plan: [repairs('ask the guest to let go of it'), again],
    };
  }
  const command = `vmplug doctor --repair --release ${sandbox}/${releasable(id)}`;
  return {
    ...about,
    why: 'its record was lost, or another state directory has it: the guest may be working on it',
    remedy: `it stays in the VM; when the guest does not use it, take it out: ${command}`,
    plan: [person(`in the guest: unmount it, and end what uses it; then ${command}`), again],
  };
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
