import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where what can be made again is kept: `VMPLUG_CACHE_DIR`, else by the XDG base directory
 * specification `$XDG_CACHE_HOME/vmplug`, else `~/.cache/vmplug`. A directory of the user's own:
 * what is read back from it is run.
 */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const { VMPLUG_CACHE_DIR: own, XDG_CACHE_HOME: cache } = env;
  if (own !== undefined && own !== '') return own;
  return join(cache?.startsWith('/') === true ? cache : join(homedir(), '.cache'), 'vmplug');
}
