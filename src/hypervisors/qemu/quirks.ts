import { compareVersions } from './version.ts';

type QuirkName =
  'early-acpi-unplug-blocks' | 'status-of-vhost-user-scsi-crashes' | 'vhost-user-net-without-msix';

/** A fault of some versions of QEMU that cannot be asked for. */
export interface Quirk {
  readonly name: QuirkName;
  /** First version with the fault, and the first without it. */
  readonly from: string;
  readonly before: string;
  readonly what: string;
}

/**
 * Known-bad version ranges, as data. A range ends at the first version that is known to be good:
 * taking a good version for a bad one costs a wait, the other way round costs a device.
 */
export const quirks: readonly Quirk[] = [
  {
    name: 'early-acpi-unplug-blocks',
    from: '6.1.0',
    before: '7.2.22',
    what: 'an ACPI unplug that is sent before the guest listens is lost, and no later one goes through',
  },
  {
    name: 'early-acpi-unplug-blocks',
    from: '8.0.0',
    before: '8.1.0',
    what: 'the same; 8.1 is the first release with the mend',
  },
  {
    name: 'status-of-vhost-user-scsi-crashes',
    from: '7.2.0',
    before: '9.0.0',
    what: 'x-query-virtio-status of a vhost-user-scsi device that runs ends QEMU: it has no get_vhost',
  },
  {
    name: 'vhost-user-net-without-msix',
    from: '0.0.0',
    before: '10.0.0',
    what: 'without KVM the guest ends QEMU when it brings up a vhost-user NIC that has MSI-X',
  },
];

/** Whether a version of QEMU has a fault. */
export function hasQuirk(version: string, name: QuirkName): boolean {
  return quirks.some(
    (quirk) =>
      quirk.name === name &&
      compareVersions(version, quirk.from) >= 0 &&
      compareVersions(version, quirk.before) < 0,
  );
}
