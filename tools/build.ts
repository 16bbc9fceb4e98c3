import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Builds `dist/`: the library with its types by tsc, the command line as a bundle by rolldown. It is made aside and
 * put in place whole, so that who runs `bin/vmplug` meanwhile finds one that works.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(join(root, '.building-'));
const [made, dist] = [join(work, 'dist'), join(root, 'dist')];
const steps = [
  ['tsc', '-p', 'tsconfig.build.json', '--outDir', made],
  ['rolldown', '-c', 'rolldown.config.ts', '--dir', join(made, 'bin'), '--log-level', 'warn'],
] as const;

try {
  for (const [program, ...args] of steps) {
    const path = join(root, 'node_modules/.bin', program);
    const { status, stdout, stderr } = spawnSync(path, args, { cwd: root, encoding: 'utf8' });
    if (status === 0) continue;
    process.stderr.write(`${stdout}${stderr}`);
    process.exitCode = 1;
    break;
  }
  if (process.exitCode === undefined) {
    if (existsSync(dist)) renameSync(dist, join(work, 'former'));
    renameSync(made, dist);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
