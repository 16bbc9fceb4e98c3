import { stat } from 'node:fs/promises';
import type { HostIdentity, HostVhostUser } from '../../api/host-device.ts';
import { withAction } from '../error-action.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { requireServed } from './socket-served.ts';
import { systemError, unsuitable } from '../source-errors.ts';
import { realSourcePath } from '../source-path.ts';
import { checkedVhostUserOptions, type VhostUserOptions } from './vhost-user-options.ts';

export interface ResolveVhostUserOptions extends VhostUserOptions {
  readOnly?: boolean | undefined;
  /** What a relative `source` is relative to; the process's own by default. */
  cwd?: string | undefined;
  paths?: HostPaths | undefined;
  signal?: AbortSignal | undefined;
}

/** `sun_path` of unix(7) has 108 bytes, the last of which is a NUL. */
const longestSocketPath = 107;

/**
 * Turns the path of a UNIX socket into the device that a program serves on it. Claims nothing, and
 * connects only when there is no other way to learn that somebody listens: see {@link requireServed}.
 * @throws VmplugError `invalid-argument`, `source-not-found`, `source-unsuitable`,
 *   `socket-not-served`, `aborted`
 */
export async function resolveVhostUser(
  kind: HostVhostUser['kind'],
  source: string,
  options: ResolveVhostUserOptions = {},
): Promise<HostVhostUser> {
  const { readOnly = false, signal, paths = defaultHostPaths, cwd = process.cwd() } = options;
  const settings = checkedVhostUserOptions(kind, options);
  return withAction(`use as ${kind}`, async () => {
    const socket = await realSourcePath(source, { cwd, paths, signal });
    const identity = await socketIdentity(socket, source);
    const bytes = Buffer.byteLength(socket);
    if (bytes > longestSocketPath)
      throw unsuitable(
        source,
        `its real path has ${bytes} bytes, and a socket's at most ${longestSocketPath}`,
        'let the back end make it in a directory with a shorter path, such as /run',
      );
    await requireServed(socket, source, paths);
    return { kind, source, socket, ...settings, identities: [identity], readOnly, shareRw: false };
  });
}

async function socketIdentity(path: string, source: string): Promise<HostIdentity> {
  const found = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw systemError(source, error);
  });
  if (!found.isSocket())
    throw unsuitable(source, 'it is not a socket', 'give the socket that the vhost-user back end listens on');
  return { key: `socket:${found.dev}:${found.ino}`, mode: 'exclusive' };
}
