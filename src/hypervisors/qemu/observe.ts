import { hasCode } from '../../api/errors.ts';
import type { ExchangeOptions, Observation, ObserveOptions, VmmFacts } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Place } from '../../api/place.ts';
import type { Batch } from './discover.ts';
import { findPciDevice, isEnumerated, pciAddress } from './pci-tree.ts';
import { blockStatsReply, pciReply, qomProperties, readReply, virtioStatusReply } from './replies.ts';

/**
 * What QEMU's own answers say of a device, without an agent in the guest:
 *
 * - virtio: the guest's driver has set DRIVER_OK (`x-query-virtio-status`, QEMU ≥ 7.2) → live;
 * - any PCI function: the guest has assigned the BARs (`query-pci`) → enumerated;
 * - a disk: the guest has read from it (`query-blockstats`) → live. For a SCSI disk, and for
 *   virtio where the status cannot be asked, this is what there is.
 */
export async function observe(
  batch: Batch,
  facts: VmmFacts,
  vmmId: string,
  place: Place,
  options: ObserveOptions,
): Promise<Observation> {
  const path = `/machine/peripheral/${vmmId}`;
  const asksVirtio = place.transport === 'pci' && facts.features.includes('command:x-query-virtio-status');
  if (options.only === 'guest' && place.transport === 'pci') return guestAddress(batch, vmmId, options);
  if (options.only === 'evidence' && asksVirtio) {
    const status = await orNothing(virtioStatus(batch, path, options));
    if (status !== undefined) {
      const live = isDriverOk(status);
      return { present: true, best: 'live', guest: {}, evidence: live ? 'live' : 'acknowledged' };
    }
  }
  const [own, pci, activity] = batch(
    [
      { execute: 'qom-list', arguments: { path } },
      { execute: 'query-pci' },
      asksVirtio
        ? { execute: 'x-query-virtio-status', arguments: { path: `${path}/virtio-backend` } }
        : { execute: 'query-blockstats' },
    ],
    options,
  ).map(orNothing);
  const [properties, tree, seen] = await Promise.all([own, pci, activity]);
  if (properties === undefined) return { present: false, best: 'live', guest: {} };
  readReply(qomProperties, properties, 'qom-list');
  const roots = readReply(pciReply, tree ?? [], 'query-pci');
  const function_ = findPciDevice(roots, place.transport === 'pci' ? vmmId : place.controller);
  const live = seen !== undefined && (asksVirtio ? isDriverOk(seen) : hasRead(seen, vmmId, path));
  const enumerated = place.transport === 'pci' && function_ !== undefined && isEnumerated(function_);
  const numbered = function_ !== undefined && isEnumerated(function_);
  return {
    present: true,
    best: 'live',
    evidence: live ? 'live' : enumerated ? 'enumerated' : 'acknowledged',
    guest: numbered ? { pci: pciAddress(function_) } : {},
  };
}

/** Where the guest has put a PCI function. Each question costs QEMU a turn of its main loop. */
async function guestAddress(batch: Batch, vmmId: string, options: ExchangeOptions): Promise<Observation> {
  const [tree] = await Promise.all(batch([{ execute: 'query-pci' }], options));
  const device = findPciDevice(readReply(pciReply, tree ?? [], 'query-pci'), vmmId);
  if (device === undefined) return { present: false, best: 'live', guest: {} };
  return { present: true, best: 'live', guest: isEnumerated(device) ? { pci: pciAddress(device) } : {} };
}

function virtioStatus(batch: Batch, path: string, options: ExchangeOptions): Promise<JsonValue> {
  const [reply] = batch(
    [{ execute: 'x-query-virtio-status', arguments: { path: `${path}/virtio-backend` } }],
    options,
  );
  return reply ?? Promise.resolve(null);
}

function isDriverOk(reply: JsonValue): boolean {
  const { status } = readReply(virtioStatusReply, reply, 'x-query-virtio-status');
  return status.statuses.some((text) => text.startsWith('VIRTIO_CONFIG_S_DRIVER_OK'));
}

/** QEMU names a disk's device by id where it is the device itself, by path where it is a child of it. */
function hasRead(reply: JsonValue, vmmId: string, path: string): boolean {
  return readReply(blockStatsReply, reply, 'query-blockstats').some(
    ({ qdev, stats }) =>
      (qdev === vmmId || qdev === path || qdev?.startsWith(`${path}/`) === true) &&
      BigInt(stats.rd_operations) > 0n,
  );
}

/** A device that is not there refuses the question. */
async function orNothing(reply: Promise<JsonValue>): Promise<JsonValue | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (hasCode(error, 'vmm-refused')) return undefined;
    throw error;
  }
}
