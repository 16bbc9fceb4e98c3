import type { OperationContext } from '../../operations/context.ts';
import { lostBackEnds } from './back-ends.ts';
import type { Finding } from './finding.ts';
import { foreignDevices } from './foreign.ts';
import { changedHosts } from './host.ts';
import { orphans } from './orphans.ts';
import { unsettled } from './unsettled.ts';
import { vanished } from './vanished.ts';
import { miscounted } from './wanted.ts';

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
