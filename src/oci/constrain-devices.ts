import type { LinuxDevice, OciSpec } from './oci-spec.ts';

/**
 * The spec as the guest is given it (v1's `constrainGRPCSpec`, devices only): without the
 * `/dev/vfio/` character nodes, which are the host's, and without device rules, which are about
 * the host's numbers. `spec` itself is not changed.
 * @param options.keepVfio the agent makes VFIO nodes of its own in place of these
 */
export function constrainDevices<S extends OciSpec>(
  spec: S,
  options: { readonly keepVfio?: boolean } = {},
): S {
  const { linux } = spec;
  if (linux === undefined) return spec;
  return {
    ...spec,
    linux: {
      ...linux,
      ...(linux.devices !== undefined &&
        options.keepVfio !== true && { devices: linux.devices.filter((device) => !isVfioNode(device)) }),
      ...(linux.resources !== undefined && { resources: { ...linux.resources, devices: [] } }),
    },
  };
}

function isVfioNode(device: LinuxDevice): boolean {
  return device.type === 'c' && device.path.startsWith('/dev/vfio/');
}
