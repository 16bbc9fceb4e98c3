import type { HostDevice } from '../api/host-device.ts';

/** What an attach does on this host before anything goes to the VMM, with what takes it back. */
export interface HostStep {
  /** For people: `give IOMMU group 12 (0000:3b:00.0 from nvme) to vfio-pci`. */
  readonly summary: string;
  /** For people; done after the VM has let go of the device. */
  readonly undo: string;
  readonly group: string;
  /** The functions that change hands, each with the driver that it has; `null` for none. */
  readonly functions: readonly { readonly address: string; readonly driver: string | null }[];
}

/** The steps on this host of attaching `host`: none but for an IOMMU group that vfio does not have yet. */
export function hostSteps(host: HostDevice): HostStep[] {
  if (host.kind !== 'vfio') return [];
  const functions = host.functions.flatMap(({ address, hostDriver }) =>
    hostDriver === undefined ? [] : [{ address, driver: hostDriver }],
  );
  if (functions.length === 0) return [];
  const from = functions.map(({ address, driver }) => `${address} from ${driver ?? 'no driver'}`).join(', ');
  return [
    {
      summary: `give IOMMU group ${host.group} (${from}) to vfio-pci`,
      undo: 'give each function back to the driver that it had',
      group: host.group,
      functions,
    },
  ];
}
