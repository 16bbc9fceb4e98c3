import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import { hostPathOf, type HostDevice } from '../api/host-device.ts';
import { parseSource, type ParsedSource } from '../api/source.ts';
import { absolutePath } from './source-path.ts';
import { parseVfioSource } from './vfio/vfio-source.ts';

/**
 * What a source means by now, to find a host device by any spelling of it: a relative path, one
 * with symbolic links, an address without its domain, one function of a group. What it names need
 * not be there any more.
 * @param cwd what a relative path is relative to
 * @returns whether a host device is what `source` means
 */
export async function sourceMeaning(source: string, cwd: string): Promise<(host: HostDevice) => boolean> {
  const parsed = read(source);
  switch (parsed?.scheme) {
    case undefined:
      return () => false;
    case 'vfio':
    case 'mdev':
    case 'vfio-ap':
      return groupMeaning(source);
    case 'path':
    case 'pmem':
    case 'vhost-user-blk':
    case 'vhost-user-scsi':
    case 'vhost-user-net':
    case 'vhost-user-fs': {
      const { scheme, rest } = parsed;
      if (rest === '') return () => false;
      const path = await realPath(absolutePath(rest, cwd));
      return (host) => (scheme === 'path' || host.kind === scheme) && hostPathOf(host) === path;
    }
  }
}

/**
 * Whether a source is a relative path of something that is there now: then it means that, whatever was
 * given by the same words elsewhere.
 */
export function namesFileHere(source: string, cwd: string): boolean {
  const rest = read(source)?.rest ?? '';
  return rest !== '' && !rest.startsWith('/') && existsSync(absolutePath(rest, cwd));
}

function read(source: string): ParsedSource | undefined {
  try {
    return parseSource(source);
  } catch (error) {
    if (error instanceof VmplugError) return undefined;
    throw error;
  }
}

function groupMeaning(source: string): (host: HostDevice) => boolean {
  try {
    const wanted = parseVfioSource(source);
    return (host) => {
      if (host.kind !== 'vfio') return false;
      if (wanted.by === 'group') return host.group === wanted.group;
      const address = wanted.by === 'pci' ? wanted.address : wanted.uuid;
      return host.functions.some((member) => member.address === address);
    };
  } catch (error) {
    if (error instanceof VmplugError) return () => false;
    throw error;
  }
}

/** Of a file that is gone, the directory still tells the spelling. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const directory = await realpath(dirname(path)).catch(() => resolve(dirname(path)));
    return join(directory, basename(path));
  }
}
