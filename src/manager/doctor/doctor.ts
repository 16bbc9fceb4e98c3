import { lostBackEnds } from './back-ends.ts';
import type { Finding } from './finding.ts';
import { foreignDevices } from './foreign.ts';
import { changedHosts } from './host.ts';
import type { Look } from './look.ts';
import { orphans } from './orphans.ts';
import type { Release } from './release.ts';
import { unsettled } from './unsettled.ts';
import { vanished } from './vanished.ts';
import { miscounted } from './wanted.ts';

/** As {@link examine}, and compares what is attached with this host too. */
export async function examineSandbox(
  context: Look,
  repair: boolean,
  released: readonly Release[] = [],
): Promise<Finding[]> {
  return [...(await examine(context, repair, released)), ...changedHosts(context)];
}

/**
 * Looks at a sandbox whose VM answers, compares what is wanted, recorded and in the VMM, and mends what is
 * off when asked to.
 * @param released devices that are in no record and are to leave all the same when it mends
 */
export async function examine(
  context: Look,
  repair: boolean,
  released: readonly Release[] = [],
): Promise<Finding[]> {
  return [
    ...(await unsettled(context, repair)),
    ...(await vanished(context, repair)),
    ...miscounted(context),
    ...(await lostBackEnds(context)),
    ...(await orphans(context, repair, released)),
    ...(await foreignDevices(context)),
  ];
}
