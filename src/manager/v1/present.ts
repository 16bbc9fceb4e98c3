import type { AttachmentRecord } from '../../api/attachment.ts';
import type { DeviceState } from '../../api/device-state.ts';
import { VhostUserBlk } from '../../api/device-type.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { SandboxState } from '../../store/v1/documents.ts';
import { isKnownType } from '../../store/v1/device-state-shape.ts';
import { attachmentState } from './attachment.ts';

/** What a sandbox has at present. */
export interface PresentDevices {
  readonly managed: readonly ManagedDeviceRecord[];
  readonly attachments: readonly AttachmentRecord[];
}

/**
 * A v1 state with its devices, block indexes and bridges as they are at present; all else stays. Block indexes
 * that no device explains, such as the boot image's, stay taken.
 */
export function withPresentDevices(state: SandboxState, present: PresentDevices): SandboxState {
  const before = state.Devices ?? [];
  const managed = present.managed.map((record) => record.state);
  const kept = [...before.filter(({ Type }) => !isKnownType(Type)), ...managed];
  const indexes = unexplainedIndexes(state);
  for (const index of kept.flatMap(indexesOf)) indexes.add(index);
  const added = present.attachments
    .filter(({ id }) => !kept.some(({ ID }) => ID === id))
    .map((attachment) => attachmentState(attachment, (wished) => takeIndex(indexes, wished)));
  const devices = inOrderOf(before, [...kept, ...added]).map(asV1Writes);
  return {
    ...state,
    Devices: devices.length === 0 && state.Devices === null ? null : devices,
    HypervisorState: {
      ...state.HypervisorState,
      BlockIndexMap: Object.fromEntries([...indexes].map((index) => [String(index), {}])),
      Bridges: bridgesNow(state, kept, present.attachments),
    },
  };
}

/** Block indexes that are taken and belong to no device: the boot image's, for one. */
export function unexplainedIndexes({ Devices, HypervisorState }: SandboxState): Set<number> {
  const indexes = new Set(Object.keys(HypervisorState.BlockIndexMap).map(Number));
  for (const index of (Devices ?? []).flatMap(indexesOf)) indexes.delete(index);
  return indexes;
}

/** The block index that a device holds: only while it is attached, whatever its payload says. */
function indexesOf({ Type, AttachCount, BlockDrive, VhostUserDev }: DeviceState): number[] {
  if (AttachCount === 0) return [];
  const index = BlockDrive?.Index ?? (Type === VhostUserBlk ? VhostUserDev?.Index : undefined);
  return index === undefined || index < 0 ? [] : [index];
}

function takeIndex(taken: Set<number>, wished: number | undefined): number {
  let index = wished !== undefined && !taken.has(wished) ? wished : 0;
  while (taken.has(index)) index += 1;
  taken.add(index);
  return index;
}

/** v1's own order is arbitrary; devices that were there stay where they were, for whoever compares. */
function inOrderOf(before: readonly DeviceState[], devices: readonly DeviceState[]): DeviceState[] {
  const rank = new Map(before.map(({ ID }, index) => [ID, index]));
  const rankOf = ({ ID }: DeviceState): number => rank.get(ID) ?? before.length;
  return devices.toSorted((a, b) => rankOf(a) - rankOf(b));
}

/** v1 puts the domain 0000 before every address itself (W10); others it cannot express. */
function asV1Writes(device: DeviceState): DeviceState {
  if (device.VFIODevs === undefined) return device;
  return {
    ...device,
    VFIODevs: device.VFIODevs.map((member) => ({ ...member, BDF: member.BDF.replace(/^0000:/, '') })),
  };
}

/** The bridges of v1, without the devices that have left them and with those that were plugged into them. */
function bridgesNow(
  { Devices, HypervisorState }: SandboxState,
  kept: readonly DeviceState[],
  attachments: readonly AttachmentRecord[],
): SandboxState['HypervisorState']['Bridges'] {
  const there = new Set(kept.filter(({ AttachCount }) => AttachCount > 0).flatMap(vmmIdsOf));
  // A device of v1 that was plugged again is at another place, under the name that v1 gave it.
  const nameOf = ({ id, plan }: AttachmentRecord): string =>
    kept.filter(({ ID }) => ID === id).flatMap(vmmIdsOf)[0] ?? plan.vmmId;
  const plugged = new Set(attachments.map(nameOf));
  const left = new Set((Devices ?? []).flatMap(vmmIdsOf).filter((id) => !there.has(id) || plugged.has(id)));
  return (
    HypervisorState.Bridges?.map((bridge) => ({
      ...bridge,
      DeviceAddr: {
        ...Object.fromEntries(Object.entries(bridge.DeviceAddr).filter(([, id]) => !left.has(id))),
        ...Object.fromEntries(
          attachments.flatMap((attachment) =>
            attachment.place.transport === 'pci' && attachment.place.bus === bridge.ID
              ? [[String(attachment.place.slot), nameOf(attachment)]]
              : [],
          ),
        ),
      },
    })) ?? null
  );
}

/** The ids that v1 gave a device in the VMM, by which its bridges list it. */
function vmmIdsOf({ BlockDrive, VFIODevs, VhostUserDev }: DeviceState): string[] {
  const ids = [BlockDrive?.ID ?? '', VhostUserDev?.DevID ?? '', ...(VFIODevs ?? []).map(({ ID }) => ID)];
  return ids.filter((id) => id !== '');
}
