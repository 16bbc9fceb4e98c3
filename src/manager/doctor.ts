import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, type VmplugError } from '../api/errors.ts';
import type { Hypervisor } from '../api/hypervisor.ts';
import { ownPrefix } from '../api/names.ts';
import { backendNames, unitsOf } from '../api/plan.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { lostBackEnds } from './doctor-back-ends.ts';
import { orphanReleases } from '../devices/orphan-releases.ts';
import { socketOwner } from '../host/unix-socket-owner.ts';
import { vmmPatienceMs, type OperationContext } from '../operations/context.ts';
import { runningOperation } from '../operations/journal.ts';
import { release } from '../operations/run-plan.ts';
import { releaseAll, settleAttachment, settleSandbox } from '../operations/settle.ts';
import { sandboxFiles } from '../sandbox/directories.ts';
import { isBeingStarted } from '../sandbox/own-directory.ts';
import type { Store } from '../store/store.ts';

/** One thing that is not as it should be. */
export interface Finding {
  readonly problem:
    | 'vm-ended'
    | 'vm-unreachable'
    | 'unsettled'
    | 'vanished'
    | 'backend-lost'
    | 'orphan-device'
    | 'orphan-backend'
    | 'leftover-directory'
    | 'not-given-back'
    | 'lease-vanished';
  readonly sandbox: string;
  readonly device?: string;
  readonly what: string;
  /** What mends it. */
  readonly remedy: string;
  readonly repaired: boolean;
}

/** Looks at a sandbox whose VM answers, and mends what is off when asked to. */
export async function examine(context: OperationContext, repair: boolean): Promise<Finding[]> {
  return [
    ...(await unsettled(context, repair)),
    ...(await vanished(context, repair)),
    ...(await lostBackEnds(context)),
    ...(await orphans(context, repair)),
  ];
}

/** What follows from a VM that has ended, or that cannot be reached. */
export function examineLost(
  store: Store,
  sandbox: SandboxRecord,
  error: VmplugError,
  repair: boolean,
): Finding[] {
  // It is being started: nothing is off.
  if (error.code === 'operation-in-progress') return [];
  const devices = store.read((tx) => tx.attachments(sandbox.name)).length;
  if (error.code !== 'vm-gone') {
    return [
      {
        problem: 'vm-unreachable',
        sandbox: sandbox.name,
        what: error.reason,
        remedy: error.hint ?? 'make its socket reachable again',
        repaired: false,
      },
    ];
  }
  if (repair) releaseAll({ store, sandbox });
  return [
    {
      problem: 'vm-ended',
      sandbox: sandbox.name,
      what: `its VM has ended; ${devices} of our devices were in it`,
      remedy: `everything that they held is freed; vmplug sandbox forget ${sandbox.name} removes the record`,
      repaired: repair,
    },
  ];
}

async function unsettled(context: OperationContext, repair: boolean): Promise<Finding[]> {
  const { store, sandbox } = context;
  const open = store.read((tx) => tx.attachments(sandbox.name)).filter(({ state }) => state !== 'attached');
  const settled = repair ? await settleSandbox(context) : new Map<string, string>();
  return open.map(({ id, state }) => ({
    problem: 'unsettled',
    sandbox: sandbox.name,
    device: id,
    what: `its state is ${state}`,
    remedy: settled.has(id)
      ? `asked the VM: ${settled.get(id)}`
      : 'the VM is asked what it has, and the record follows',
    repaired: settled.has(id) && settled.get(id) !== 'detaching',
  }));
}

/**
 * Devices that are recorded as attached and that the VM no longer has: the guest ejected them. The
 * records are read before the VM is asked, so that a device that is attached meanwhile is not missed.
 */
async function vanished(context: OperationContext, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const attached = store.read((tx) =>
    tx
      .attachments(sandbox.name)
      .filter(({ id, state }) => state === 'attached' && runningOperation(tx, id) === undefined),
  );
  const inventory = await hypervisor.inventory({ timeoutMs: vmmPatienceMs });
  const missing = attached.filter((attachment) =>
    unitsOf(attachment).some(({ vmmId }) => !inventory.devices.includes(vmmId)),
  );
  const findings: Finding[] = [];
  for (const attachment of missing) {
    const { id, source } = attachment;
    const isWhole = unitsOf(attachment).every(({ vmmId }) => !inventory.devices.includes(vmmId));
    const settled = repair ? await settleAttachment(context, id) : undefined;
    findings.push({
      problem: 'vanished',
      sandbox: sandbox.name,
      device: id,
      what: `${source} is recorded as attached, but the VM no longer has ${isWhole ? 'it' : 'all of it'}: the guest let go of it by itself`,
      remedy: isWhole
        ? 'its back end is released and its claim freed'
        : `the rest is of no use to the guest: vmplug detach ${sandbox.name} ${id} takes it out, and it stays claimed until then`,
      repaired: settled === 'released',
    });
  }
  return findings;
}

/** What carries our prefix in the VM and is in no record: left by a lost state directory, say. */
async function orphans(context: OperationContext, repair: boolean): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const inventory = await hypervisor.inventory({ timeoutMs: vmmPatienceMs });
  const recorded = store.read((tx) => tx.attachments(sandbox.name));
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
      repaired: false,
    })),
    ...backends.map((name): Finding => ({
      problem: 'orphan-backend',
      sandbox: sandbox.name,
      device: name,
      what: 'a back end of ours without a device',
      remedy: 'it is released',
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

/** Directories of sandboxes that are in no record: of a run that was killed before it was kept. */
export async function leftovers(store: Store, stateDir: string, repair: boolean): Promise<Finding[]> {
  const root = join(stateDir, 'sandboxes');
  if (!existsSync(root)) return [];
  const known = new Set(store.read((tx) => tx.sandboxes()).map(({ name }) => name));
  const findings: Finding[] = [];
  for (const name of readdirSync(root)) {
    if (known.has(name)) continue;
    const { directory, qmpSocket } = sandboxFiles(stateDir, name);
    if (isBeingStarted(directory)) continue;
    const owner = existsSync(qmpSocket) ? await socketOwner(qmpSocket) : undefined;
    if (repair && owner === undefined) rmSync(directory, { recursive: true, force: true });
    findings.push({
      problem: 'leftover-directory',
      sandbox: name,
      what: `${directory} belongs to no sandbox`,
      remedy:
        owner === undefined
          ? 'it is removed'
          : `process ${owner.pid} (${owner.command}) still runs in it: vmplug sandbox adopt ${name} --qmp ${qmpSocket}, or end it`,
      repaired: repair && owner === undefined,
    });
  }
  return findings;
}
