import type { AttachmentRecord } from '../api/attachment.ts';
import type { VmplugError } from '../api/errors.ts';
import type { ExchangeOptions, Observation, VmStatus } from '../api/hypervisor.ts';
import type { OperationRecord } from '../api/operation.ts';
import { placeTransports, type Bus, type Place } from '../api/place.ts';
import { unitsOf } from '../api/plan.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { countPlaces } from '../operations/choose-place.ts';
import type { OperationContext } from '../operations/context.ts';
import type { Life } from '../sandbox/life.ts';

/** How many places of a kind there are, and how many of them are free. */
export type PlaceCount = ReturnType<typeof countPlaces>;

/** A sandbox with what its VMM says now. */
export interface SandboxView {
  readonly record: SandboxRecord;
  readonly life: Life;
  readonly attachments: readonly AttachmentRecord[];
  /** Missing when the VMM could not be asked; `problem` says why. */
  readonly live?: LiveView;
  readonly problem?: VmplugError;
}

export interface LiveView {
  readonly status: VmStatus;
  readonly buses: readonly Bus[];
  /** `pci` and `scsi` always; of the others those that the VM has. */
  readonly places: Readonly<
    Record<'pci' | 'scsi', PlaceCount> & Partial<Record<Place['transport'], PlaceCount>>
  >;
}

/** A device with what its VMM says now, and its history. */
export interface DeviceView {
  readonly attachment: AttachmentRecord;
  readonly operations: readonly OperationRecord[];
  /** Of the first function, where it is a group. */
  readonly observation?: Observation;
  /** Of every function, in the order of the plan's units. */
  readonly observations?: readonly Observation[];
  readonly problem?: VmplugError;
}

/** What a VMM says of itself and of its room, all of it asked anew. */
export async function viewVm(
  { store, sandbox, hypervisor }: OperationContext,
  limits: ExchangeOptions,
): Promise<LiveView> {
  const [status, buses] = await Promise.all([
    hypervisor.status(limits),
    hypervisor.buses({ ...limits, fresh: true }),
  ]);
  const givenOut = store.read((tx) => tx.takenPlaces(sandbox.name));
  const count = (transport: Place['transport']): PlaceCount => countPlaces(buses, transport, givenOut);
  const others = placeTransports.filter((transport) => buses.some((bus) => bus.transport === transport));
  return {
    status,
    buses,
    places: {
      pci: count('pci'),
      scsi: count('scsi'),
      ...Object.fromEntries(others.map((transport) => [transport, count(transport)])),
    },
  };
}

/** What a VMM says of every function of a device. */
export async function viewDevice(
  { store, hypervisor }: OperationContext,
  attachment: AttachmentRecord,
  limits: ExchangeOptions,
): Promise<Pick<DeviceView, 'attachment' | 'observation' | 'observations'>> {
  const current = store.read((tx) => tx.attachment(attachment.id)) ?? attachment;
  const observations = await Promise.all(
    unitsOf(current).map(({ vmmId, place }) => hypervisor.observe(vmmId, place, limits)),
  );
  const [observation] = observations;
  return {
    attachment: current,
    observations,
    ...(observation === undefined ? {} : { observation }),
  };
}
