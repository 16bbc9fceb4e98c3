import type { Socket } from 'node:net';

/**
 * The descriptor of a connected socket; `undefined` when it has none any more. Node keeps it in a handle
 * that it does not document, so nobody else looks there.
 */
export function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined;
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined;
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
}
