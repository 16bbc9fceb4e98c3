import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureGuestImage } from '../lab/guest/index.ts';
import { ensurePackages, qemuPackages } from '../lab/setup/packages.ts';
import { VmplugError } from '../src/api/errors.ts';
import { Narrator } from './quickstart/narrator.ts';
import { tellStory } from './quickstart/story.ts';

/**
 * `npm run quickstart`: installs what is missing, builds, and shows two disks on their way into
 * a real guest and back. Exits 0 only when everything was seen. `--json` prints one document.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const json = process.argv.includes('--json');
const narrator = new Narrator(json);

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    await narrator.stage('packages', () =>
      ensurePackages(qemuPackages, { onProgress: (text) => void process.stderr.write(text) }),
    );
    await narrator.stage('build', async () => build());
    const image = await narrator.stage('guest image', () =>
      ensureGuestImage({ onProgress: (text) => narrator.progress(text) }),
    );
    narrator.say(`guest: Linux ${image.kernelVersion} with busybox`);
    await tellStory(narrator);
  } catch (error) {
    narrator.failed(
      error instanceof VmplugError ? `${error.message}\n  → ${error.hint ?? ''}` : String(error),
    );
  }
  return narrator.end();
}

/** Compiles the sources to dist/. */
function build(): void {
  const tsc = join(root, 'node_modules/.bin/tsc');
  const { status, stdout } = spawnSync(tsc, ['-p', join(root, 'tsconfig.build.json')], { encoding: 'utf8' });
  if (status === 0 && existsSync(join(root, 'dist')) && readdirSync(join(root, 'dist')).length > 0) return;
  throw new VmplugError('internal-error', {
    action: 'build',
    subject: root,
    reason: stdout.trim(),
    hint: 'npm run build shows it again',
  });
}
