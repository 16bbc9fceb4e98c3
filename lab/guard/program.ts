import { createInterface } from 'node:readline';
import { removeLeftovers } from './leftovers.ts';

/**
 * Reads which directories are in use from its stdin (`+DIRECTORY`, `-DIRECTORY`), until the process at the other end
 * is gone, however that ended; then nothing of them is left.
 */
const directories = new Set<string>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
for await (const line of createInterface({ input: process.stdin })) {
  const directory = line.slice(1);
  if (line.startsWith('+')) directories.add(directory);
  else directories.delete(directory);
}
for (const directory of directories) await removeLeftovers(directory);
