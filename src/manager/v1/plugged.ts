import type { AttachmentRecord } from '../../api/attachment.ts';
import type { BlockDriveState, DeviceState } from '../../api/device-state.ts';
import { BlockDriverOption, VirtioSCSI, type DeviceDriver } from '../../api/device-type.ts';
import type { HostDisk, HostFunction } from '../../api/host-device.ts';
import { getSCSIIdLun } from '../../api/names.ts';
import { slotText, type PciPlace, type Place } from '../../api/place.ts';
import type { AttachStep, Plan } from '../../api/plan.ts';
import type { BridgeState } from '../../store/v1/documents.ts';

/** What v1 says of the sandbox that its devices are in. */
export interface V1Sandbox {
  readonly name: string;
  readonly bridges: readonly BridgeState[];
}

/**
 * What v1 plugged into a QEMU, as an attachment under v1's own names in the VMM (contract section
 * 6.5), so that it can be seen and detached like any other. `undefined` for what was not plugged while
 * the VM ran, and where v1's state does not tell at which place it is.
 * @param disk what the drive's file is on this host
 */
export function pluggedByV1(
  state: DeviceState,
  sandbox: V1Sandbox,
  disk: HostDisk | undefined,
): AttachmentRecord | undefined {
  if (state.AttachCount === 0 || state.ColdPlug) return undefined;
  if (state.BlockDrive !== undefined && disk !== undefined) {
    return driveOfV1(state, state.BlockDrive, disk, sandbox);
  }
  return state.VFIODevs === undefined ? undefined : groupOfV1(state, state.VFIODevs, sandbox);
}

function driveOfV1(
  state: DeviceState,
  drive: BlockDriveState,
  host: HostDisk,
  sandbox: V1Sandbox,
): AttachmentRecord | undefined {
  if (drive.Pmem) return undefined;
  const driver = state.DriverOptions?.[BlockDriverOption] ?? VirtioSCSI;
  const place = driver === VirtioSCSI ? scsiPlace(drive.Index) : slotOf(drive.ID, sandbox.bridges);
  if (place === undefined || (driver !== VirtioSCSI && driver !== 'virtio-blk')) return undefined;
  const vmmId = `virtio-${drive.ID}`;
  const plan: Plan = {
    vmmId,
    steps: [
      {
        summary: 'open the image as a block node',
        run: { execute: 'blockdev-add', arguments: { driver: 'raw', 'node-name': drive.ID } },
        undo: { execute: 'blockdev-del', arguments: { 'node-name': drive.ID } },
      },
      plugged(vmmId, driver === VirtioSCSI ? 'scsi-hd' : 'virtio-blk-pci'),
    ],
  };
  return attachment(state, sandbox, { kind: 'block', host, driver, place, plan, source: drive.File });
}

function groupOfV1(
  state: DeviceState,
  listed: NonNullable<DeviceState['VFIODevs']>,
  sandbox: V1Sandbox,
): AttachmentRecord | undefined {
  // v1's list grew with every attach: the same members are in it several times (W12).
  const members = [...new Map(listed.map((member) => [member.ID, member])).values()];
  const units = members.flatMap(({ ID }) => {
    const place = slotOf(ID, sandbox.bridges);
    return place === undefined ? [] : [{ vmmId: ID, place }];
  });
  const functions = members.map(({ Type, BDF, SysfsDev }): HostFunction => ({
    type: Type === 2 ? 2 : 1,
    address: Type === 2 ? (SysfsDev.split('/').at(-1) ?? '') : withDomain(BDF),
    sysfsDev: SysfsDev,
    vendorId: '',
    deviceId: '',
    classCode: '',
    isPcie: false,
  }));
  const [first, ...further] = units;
  const [one, ...others] = functions;
  if (first === undefined || one === undefined || units.length < members.length) return undefined;
  const keys = functions.map(({ type, address }) => `${type === 2 ? 'mdev' : 'pci'}:${address}`);
  const [key = '', ...rest] = keys;
  return attachment(state, sandbox, {
    kind: 'vfio',
    driver: 'vfio-pci',
    source: one.address,
    place: first.place,
    plan: { vmmId: first.vmmId, steps: units.map(({ vmmId }) => plugged(vmmId, 'vfio-pci')), further },
    host: {
      kind: 'vfio',
      source: one.address,
      group: '',
      functions: [one, ...others],
      identities: [
        { key, mode: 'exclusive' },
        ...rest.map((each) => ({ key: each, mode: 'exclusive' as const })),
      ],
      readOnly: false,
      shareRw: false,
    },
  });
}

function attachment(
  state: DeviceState,
  sandbox: V1Sandbox,
  what: Pick<AttachmentRecord, 'kind' | 'host' | 'place' | 'plan' | 'source'> & {
    readonly driver: DeviceDriver;
  },
): AttachmentRecord {
  return {
    id: state.ID,
    sandbox: sandbox.name,
    state: 'attached',
    options: {},
    generation: 0,
    // v1 planted none.
    serial: '',
    evidence: 'acknowledged',
    guest: what.place.transport === 'pci' ? { pciPath: what.place.path.join('/') } : {},
    timeline: {},
    createdAt: Date.now(),
    ...what,
  };
}

function plugged(vmmId: string, driver: string): AttachStep {
  return {
    summary: 'plug the device',
    run: { execute: 'device_add', arguments: { driver, id: vmmId } },
    undo: { execute: 'device_del', arguments: { id: vmmId } },
    undoIsRequest: true,
  };
}

/** v1's only controller is `scsi0`. */
function scsiPlace(index: number): Place | undefined {
  if (index < 0) return undefined;
  const [scsiId, lun] = getSCSIIdLun(index);
  return {
    transport: 'scsi',
    bus: 'scsi0.0',
    channel: 0,
    scsiId,
    lun,
    controller: 'scsi0',
    unplug: 'immediate',
  };
}

/** The slot under which a bridge of v1 lists a name. */
function slotOf(name: string, bridges: readonly BridgeState[]): PciPlace | undefined {
  for (const { ID, Addr, DeviceAddr, Type } of bridges) {
    const slot = Object.keys(DeviceAddr).find((key) => DeviceAddr[key] === name);
    if (slot === undefined || Type === 'ccw') continue;
    const path = [slotText(Addr), slotText(Number(slot))];
    return { transport: 'pci', bus: ID, slot: Number(slot), path, unplug: 'acpi' };
  }
  return undefined;
}

/** v1 drops the domain and means 0000 (W10). */
function withDomain(bdf: string): string {
  return bdf.split(':').length === 2 ? `0000:${bdf}` : bdf;
}
