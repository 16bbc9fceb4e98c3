import { formatPciAddress, parsePciAddress } from './pci-address.ts';
import { vfioError } from './vfio-errors.ts';

/** What a source says it wants: a group by number, or the group of one device. */
export type VfioSource =
  | { readonly by: 'group'; readonly group: string }
  | { readonly by: 'pci'; readonly address: string }
  | { readonly by: 'mdev' | 'vfio-ap'; readonly uuid: string };

const groupNode = /^\/dev\/vfio\/(0|[1-9]\d{0,9})$/;
const uuidForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Reads `/dev/vfio/12`, `vfio:/dev/vfio/12`, `vfio:0000:3b:00.0`, `mdev:<UUID>` and
 * `vfio-ap:<UUID>`. Addresses and UUIDs come out as sysfs writes them.
 * @throws VmplugError `invalid-argument`
 */
export function parseVfioSource(source: string): VfioSource {
  if (source.startsWith('/')) return groupSource(source, source);
  const [, scheme = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(source) ?? [];
  switch (scheme) {
    case 'vfio':
      return rest.startsWith('/')
        ? groupSource(source, rest)
        : { by: 'pci', address: formatPciAddress(parsePciAddress(rest)) };
    case 'mdev':
    case 'vfio-ap':
      if (!uuidForm.test(rest)) throw malformed(source, 'a mediated device is named by its UUID');
      return { by: scheme, uuid: rest.toLowerCase() };
    default:
      throw malformed(source, 'it is none of the forms of a VFIO source');
  }
}

function groupSource(source: string, path: string): VfioSource {
  const group = groupNode.exec(path)?.[1];
  if (group !== undefined) return { by: 'group', group };
  throw malformed(
    source,
    path === '/dev/vfio/vfio' ? 'this node is for all groups; it is no device' : 'it is no node of a group',
  );
}

function malformed(source: string, reason: string): Error {
  return vfioError('invalid-argument', source, reason, {
    hint: 'write vfio:0000:3b:00.0, /dev/vfio/12, mdev:UUID or vfio-ap:UUID',
  });
}
