import { spawnSync } from 'node:child_process';
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

function build(): void {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools/build.ts')], {
    encoding: 'utf8',
  });
  if (status === 0) return;
  throw new VmplugError('internal-error', {
    action: 'build',
    subject: root,
    reason: stderr.trim(),
    hint: 'npm run build shows it again',
  });
}
