import { readFileSync } from 'node:fs';

/** The version in the package's own package.json, from the sources as from the build. */
export const version: string = readVersion();

function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      const file: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
      if (typeof file === 'object' && file !== null && 'version' in file) return String(file.version);
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}
