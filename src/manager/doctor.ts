import type { OperationContext } from '../operations/context.ts';
import { lostBackEnds } from './doctor-back-ends.ts';
import type { Finding } from './doctor-finding.ts';
import { foreignDevices } from './doctor-foreign.ts';
import { changedHosts } from './doctor-host.ts';
import { orphans } from './doctor-orphans.ts';
import { unsettled } from './doctor-unsettled.ts';
import { vanished } from './doctor-vanished.ts';
import { miscounted } from './doctor-wanted.ts';

/** As {@link examine}, and compares what is attached with this host too. */
export async function examineSandbox(
  context: OperationContext,
  repair: boolean,
  keepOrphans?: boolean,
): Promise<Finding[]> {
  return [...(await examine(context, repair, keepOrphans)), ...changedHosts(context)];
}

/**
 * Looks at a sandbox whose VM answers, compares what is wanted, recorded and in the VMM, and mends what is
 * off when asked to.
 * @param keepOrphans leaves devices that are in no record in the VM, because their record may be what was lost
 */
export async function examine(
  context: OperationContext,
  repair: boolean,
  keepOrphans = false,
): Promise<Finding[]> {
  return [
    ...(await unsettled(context, repair)),
    ...(await vanished(context, repair)),
    ...miscounted(context),
    ...(await lostBackEnds(context)),
    ...(await orphans(context, repair && !keepOrphans)),
    ...(await foreignDevices(context)),
  ];
}
