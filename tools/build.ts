import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Builds `dist/`: the library with its types by tsc, the command line as a bundle by rolldown. */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const steps = [
  ['tsc', '-p', 'tsconfig.build.json'],
  ['rolldown', '-c', 'rolldown.config.ts', '--log-level', 'warn'],
] as const;

for (const [program, ...args] of steps) {
  const path = join(root, 'node_modules/.bin', program);
  const { status, stdout, stderr } = spawnSync(path, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    process.stderr.write(`${stdout}${stderr}`);
    process.exit(1);
  }
}
