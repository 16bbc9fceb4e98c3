import { hasCode } from '../../api/errors.ts';
import type { ExchangeOptions, Observation, ObserveOptions, VmmFacts } from '../../api/hypervisor.ts';
import type { JsonValue } from '../../api/json.ts';
import type { Place } from '../../api/place.ts';
import type { Command } from '../../api/plan.ts';
import { backEndConnection } from './back-end-connection.ts';
import { bestOf, signsOf, type DeviceSigns } from './device-signs.ts';
import { findPciDevice, hasBars, isEnumerated, pciAddress } from './pci-tree.ts';
import type { Batch } from './qom-reader.ts';
import { blockStatsReply, pciReply, readReply, virtioStatusReply, type PciDevice } from './replies.ts';

/** What is asked about. */
export interface ObservedDevice {
  readonly vmmId: string;
  readonly place: Place;
  /** QEMU's name of what it is, `virtio-blk-pci`, where it is known: one round trip less. */
  readonly model?: string | undefined;
}

/**
 * What QEMU's own answers say of a device, without an agent in the guest:
 *
 * - virtio, on PCI or as a channel device: the guest's driver has set DRIVER_OK
 *   (`x-query-virtio-status`, QEMU ≥ 7.2) → live;
 * - any PCI function: the guest has assigned the BARs (`query-pci`) → enumerated;
 * - a disk: the guest has read from it (`query-blockstats`) → live. For a SCSI disk, and for
 *   virtio where the status cannot be asked, this is what there is;
 * - an nvdimm, crypto adapters: nothing of the guest is to be seen, so acknowledged is the best.
 *
 * When everything is wanted, it is also asked whether the program behind a socket is still there.
 */
export async function observe(
  batch: Batch,
  facts: VmmFacts,
  device: ObservedDevice,
  options: ObserveOptions,
): Promise<Observation> {
  const { vmmId, place } = device;
  const path = `/machine/peripheral/${vmmId}`;
  const known = device.model === undefined ? undefined : signsOf(device.model, place, facts);
  if (options.only === 'guest' && place.transport === 'pci')
    return guestAddress(batch, vmmId, known, options);
  if (options.only === 'evidence' && known?.status === true) {
    const [status] = await Promise.all(batch([statusQuestion(path)], options).map(orNothing));
    if (status !== undefined) {
      const live = isDriverOk(status);
      return { present: true, best: 'live', guest: {}, evidence: live ? 'live' : 'acknowledged' };
    }
  }
  const typeQuestion: Command = { execute: 'qom-get', arguments: { path, property: 'type' } };
  const [first, ...early] = await Promise.all(
    batch([typeQuestion, ...questions(known, place, path)], options).map(orNothing),
  );
  // Only a device that is not there refuses to say what it is.
  if (typeof first !== 'string') return { present: false, best: bestAt(known, place), guest: {} };
  const signs = signsOf(first, place, facts);
  // What a device can be asked safely depends on what it is.
  const [backend, replies] = await Promise.all([
    options.only === undefined ? backEndConnection(batch, vmmId, first, options) : undefined,
    known === undefined ? Promise.all(batch(questions(signs, place, path), options).map(orNothing)) : early,
  ]);
  return { ...judge(signs, device, path, replies), ...(backend === undefined ? {} : { backend }) };
}

/** The PCI tree where that says something, then what tells of the driver. */
function questions(signs: DeviceSigns | undefined, place: Place, path: string): Command[] {
  if (signs === undefined) return [];
  return [
    ...(hasPciAddress(place) ? [{ execute: 'query-pci' }] : []),
    ...(signs.status ? [statusQuestion(path)] : []),
    ...(signs.reads ? [{ execute: 'query-blockstats' }] : []),
  ];
}

/** A disk on a SCSI controller is found by the PCI address of the controller. */
function hasPciAddress(place: Place): boolean {
  return place.transport === 'pci' || place.transport === 'scsi';
}

function judge(
  signs: DeviceSigns,
  { vmmId, place }: ObservedDevice,
  path: string,
  replies: readonly (JsonValue | undefined)[],
): Observation {
  const [tree, ofDriver] = hasPciAddress(place) ? replies : [undefined, ...replies];
  const carrier = place.transport === 'scsi' ? place.controller : vmmId;
  const device = findPciDevice(readReply(pciReply, tree ?? [], 'query-pci'), carrier);
  const numbered = device !== undefined && isEnumerated(device);
  const live =
    ofDriver !== undefined && (signs.status ? isDriverOk(ofDriver) : hasRead(ofDriver, vmmId, path));
  const bars = signs.bars && (device === undefined || hasBars(device));
  return {
    present: true,
    best: bestOf({ ...signs, bars }),
    evidence: live ? 'live' : bars && numbered ? 'enumerated' : 'acknowledged',
    guest: guestOf(numbered ? device : undefined),
  };
}

/** The best that was known before, or else the best that any device at such a place can show. */
function bestAt(known: DeviceSigns | undefined, place: Place): Observation['best'] {
  if (known !== undefined) return bestOf(known);
  return place.transport === 'memory' || place.transport === 'ap' ? 'acknowledged' : 'live';
}

/** Where the guest has put a PCI function. Each question costs QEMU a turn of its main loop. */
async function guestAddress(
  batch: Batch,
  vmmId: string,
  known: DeviceSigns | undefined,
  options: ExchangeOptions,
): Promise<Observation> {
  const [tree] = await Promise.all(batch([{ execute: 'query-pci' }], options));
  const device = findPciDevice(readReply(pciReply, tree ?? [], 'query-pci'), vmmId);
  const best = known === undefined ? 'live' : bestOf(known);
  if (device === undefined) return { present: false, best, guest: {} };
  return { present: true, best, guest: guestOf(isEnumerated(device) ? device : undefined) };
}

function guestOf(device: PciDevice | undefined): Observation['guest'] {
  return device === undefined ? {} : { pci: pciAddress(device) };
}

function statusQuestion(path: string): Command {
  return { execute: 'x-query-virtio-status', arguments: { path: `${path}/virtio-backend` } };
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
