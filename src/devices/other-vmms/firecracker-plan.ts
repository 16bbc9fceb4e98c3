import { VirtioMmio } from '../../api/device-type.ts';
import type { HostDisk } from '../../api/host-device.ts';
import { vmmDeviceId } from '../../api/names.ts';
import type { AttachStep, Command } from '../../api/plan.ts';
import { driveSlot } from './drive-slot.ts';
import { refuseDisk, unpluggable, type VmmKind, type VmmKinds } from '../vmm-kinds.ts';

/** Placeholders that a VM is started with, `drive_0` to `drive_7`. */
const pool = 8;

/** Feature of a VMM that sees only the folder of its placeholders: its jail. */
const jailed = 'jailed';

/**
 * A disk in Firecracker: the file of a placeholder drive is exchanged (REST
 * `PATCH /drives/{drive_id}`). Into a jail the disk is mounted first, at a path of its own: so
 * the drive is turned back to its placeholder before the mount goes (W53), and by a path that
 * the VMM can see (W18).
 */
const block: VmmKind<HostDisk> = {
  check(request, facts) {
    const { driver, host, options } = request;
    refuseDisk(request, facts, [
      [driver !== VirtioMmio, `Firecracker has no ${driver}`, 'choose --driver virtio-mmio'],
      [host.readOnly, 'its drives were made writable, and that cannot change', 'leave --read-only out'],
      [host.layers[0].format !== 'raw', 'Firecracker reads raw images only', 'convert it to raw'],
      [Object.keys(options).length > 0, 'the options of its drives cannot change', 'leave them out'],
    ]);
  },
  plan(request) {
    const { bus, slot } = driveSlot(request, 0, pool - 1);
    const vmmId = vmmDeviceId(request.id, request.generation);
    const drive = `drive_${slot}`;
    const { path } = request.host.layers[0];
    const isJailed = request.facts.features.includes(jailed);
    const exchange: AttachStep = {
      summary: `give the disk to ${drive}`,
      run: patch(drive, isJailed ? `/${vmmId}` : path),
      undo: patch(drive, isJailed ? `/${drive}` : `${bus}/${drive}`),
      undoIsRequest: true,
    };
    return { vmmId, steps: isJailed ? [mountStep(path, `${bus}/${vmmId}`), exchange] : [exchange] };
  },
  guestAddress: () => ({}),
};

/** Both are done by the VMM's driver on this host, which makes the target and removes it. */
function mountStep(source: string, target: string): AttachStep {
  return {
    summary: 'mount the disk into the jail',
    run: { execute: 'bind-mount', arguments: { source, target } },
    undo: { execute: 'unmount', arguments: { target } },
  };
}

function patch(drive: string, path: string): Command {
  return { execute: `PATCH /drives/${drive}`, arguments: { drive_id: drive, path_on_host: path } };
}

export const firecracker: VmmKinds = {
  block,
  pmem: unpluggable('Firecracker'),
  vfio: unpluggable('Firecracker'),
  vhostUser: unpluggable('Firecracker'),
};
