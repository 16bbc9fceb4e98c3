import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureGuestImage } from '../lab/guest/index.ts';
import {
  ensurePackages,
  kernelModulePackages,
  libvirtPackages,
  qemuPackages,
  scsiPackages,
  testPackages,
} from '../lab/setup/packages.ts';
import { ensureQemu10 } from '../lab/setup/qemu10.ts';
import { VmplugError } from '../src/api/errors.ts';

/**
 * `npm test`: installs what is missing, builds, and runs every layer but the long ones.
 * `--long` runs the long ones and the machine in the machine too, `--quick` only those that need
 * nothing, `--vfio` only the machine in the machine; what else is given goes to vitest.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const quick = args.includes('--quick');
const long = args.includes('--long');
const vfio = args.includes('--vfio');
const rest = args.filter((arg) => arg !== '--quick' && arg !== '--long' && arg !== '--vfio');

try {
  if (!quick) {
    const say = (text: string): void => console.error(text);
    // All at once, before the suites that need them run side by side: apt serves one at a time.
    const packages = [qemuPackages, testPackages, scsiPackages, kernelModulePackages, libvirtPackages];
    await ensurePackages(packages.flat(), { onProgress: say });
    for (const architecture of ['amd64', 'arm64', 's390x'] as const) {
      await ensureGuestImage({ architecture, onProgress: say });
    }
    await ensureQemu10({ onProgress: say });
  }
} catch (error) {
  if (!(error instanceof VmplugError)) throw error;
  console.error(`${error.message}\n  → ${error.hint ?? ''}`);
  process.exit(1);
}
start(process.execPath, [join(root, 'tools/build.ts')]);
const projects = quick
  ? ['quick']
  : vfio
    ? ['vfio']
    : long
      ? ['quick', 'lab', 'long', 'vfio']
      : ['quick', 'lab'];
start(join(root, 'node_modules/.bin/vitest'), [
  'run',
  ...projects.flatMap((project) => ['--project', project]),
  ...[
    'default',
    './tools/seen-reporter.ts',
    './tools/timings-reporter.ts',
    './tools/count-reporter.ts',
  ].flatMap((reporter) => ['--reporter', reporter]),
  ...rest,
]);

function start(program: string, programArgs: readonly string[]): void {
  const { status } = spawnSync(program, programArgs, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
