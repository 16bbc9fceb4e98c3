import { posix } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import type { OciMount } from '../oci-spec.ts';
import type { AgentStorage } from './messages.ts';

/** Where the agent mounts the storages of a sandbox. */
const storageDirectory = '/run/kata-containers/sandbox/storage';

export interface PlacedVolumes {
  readonly mounts: readonly OciMount[];
  readonly storages: readonly AgentStorage[];
}

/**
 * Gives each volume a mount point of its own in the guest, and the mount of the OCI spec
 * with its destination that as its source (v1's `handleBlockVolumes`).
 * @param newID a fresh UUID on each call
 * @throws VmplugError `invalid-argument` for a volume that the spec has no mount for (W28)
 */
export function placeVolumes(
  mounts: readonly OciMount[],
  volumes: readonly AgentStorage[],
  newID: () => string,
): PlacedVolumes {
  const placed = [...mounts];
  const storages = volumes.map((volume) => {
    const index = mounts.findIndex(({ destination }) => destination === volume.mount_point);
    const mount = mounts[index];
    if (mount === undefined) throw mountMissing(volume);
    const source = `${storageDirectory}/${newID()}-${posix.basename(volume.mount_point)}`;
    placed[index] = { ...mount, source };
    return { ...volume, mount_point: source };
  });
  return { mounts: placed, storages };
}

function mountMissing(volume: AgentStorage): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'tell the guest agent of the volume',
    subject: volume.mount_point,
    reason: 'the OCI spec has no mount with this destination',
    hint: "give the mounts of the container's own spec",
    facts: { source: volume.source },
  });
}
