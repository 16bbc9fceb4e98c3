import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from './run-program.ts';

/** Debian's names of the architectures that the lab has guests of. */
export type Architecture = 'amd64' | 'arm64' | 's390x';

/** Debian's name of this machine's architecture. */
export const hostArchitecture: string = process.arch === 'x64' ? 'amd64' : process.arch;

/** Which packages apt is to know. */
export interface AptScope {
  /** Default: this machine's. */
  architecture?: string;
  /** A suite of the system's Debian archive beside the release itself, by what is added to its name: `-backports`. */
  suiteSuffix?: string;
}

/** Package lists that belong to one user of them; they are removed with the handle. */
export interface OwnLists extends AsyncDisposable {
  /** Arguments for every apt call. */
  apt: readonly string[];
}

/** Arguments for every apt call on the system's lists. As root apt would hand downloads to a user who cannot write into a private directory. */
export function systemLists(): string[] {
  return process.getuid?.() === 0 ? ['-o', 'APT::Sandbox::User=root'] : [];
}

/**
 * Brings package lists below `directory`, as any user and without a change to the system: from the system's own
 * sources, or, for another architecture or suite, from the Debian archives that these name (apt.conf(5), sources.list(5)).
 *
 * @throws VmplugError `start-failed` with apt's words, `missing-package` without apt, `aborted`.
 */
export async function ownLists(
  directory: string,
  scope: AptScope,
  signal: AbortSignal | undefined,
): Promise<OwnLists> {
  const { architecture = hostArchitecture, suiteSuffix } = scope;
  const home = await mkdtemp(join(directory, 'apt-'));
  const remove = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    for (const name of ['lists/partial', 'cache/archives/partial', 'parts']) {
      await mkdir(join(home, name), { recursive: true });
    }
    const apt = [
      ...systemLists(),
      ...['-o', `Dir::State::Lists=${join(home, 'lists')}`, '-o', `Dir::Cache=${join(home, 'cache')}`],
      ...['-o', 'Acquire::Languages=none'],
    ];
    if (architecture !== hostArchitecture || suiteSuffix !== undefined) {
      await writeFile(join(home, 'parts', 'lab.list'), await sourcesOf(suiteSuffix, signal));
      apt.push('-o', 'Dir::Etc::SourceList=/dev/null', '-o', `Dir::Etc::SourceParts=${join(home, 'parts')}`);
    }
    if (architecture !== hostArchitecture) {
      // What is installed here is of another architecture: apt is to know nothing of it.
      await writeFile(join(home, 'status'), '');
      apt.push('-o', `APT::Architecture=${architecture}`, '-o', `APT::Architectures=${architecture}`);
      apt.push('-o', `Dir::State::Status=${join(home, 'status')}`);
    }
    await runProgram('apt-get', [...apt, 'update', '-q'], { signal });
    return { apt, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Downloads packages into a directory, where they keep the names of the archive. Safe when several processes do it
 * at once: each downloads apart and moves whole files into place.
 *
 * @param names as apt takes them: `busybox-static`, `qemu-utils=1:7.2+dfsg-7`, `qemu-utils/bookworm-backports`.
 * @returns the files' paths.
 * @throws VmplugError as {@link ownLists}.
 */
export async function downloadDebs(
  apt: readonly string[],
  names: readonly string[],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const work = await mkdtemp(join(directory, 'downloading-'));
  try {
    await runProgram('apt-get', [...apt, 'download', '-q', ...names], { cwd: work, signal });
    const files = await readdir(work);
    for (const name of files) await rename(join(work, name), join(directory, name));
    return files.map((name) => join(directory, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The Debian release of this machine, such as `bookworm`. */
export async function releaseName(): Promise<string> {
  const words = await readFile('/etc/os-release', 'utf8');
  const name = /^VERSION_CODENAME=(.*)$/m.exec(words)?.[1];
  if (name === undefined) throw new Error('/etc/os-release has no VERSION_CODENAME');
  return name;
}

/** Debian's keys, by the package debian-archive-keyring. */
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

async function sourcesOf(suiteSuffix: string | undefined, signal: AbortSignal | undefined): Promise<string> {
  const targets = await runProgram(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Identifier: Packages'],
    { signal },
  );
  const sources = debianSources(targets.toString(), await releaseName(), suiteSuffix);
  if (sources.length === 0) throw new Error('apt has no source of Debian on this machine');
  return sources.map((source) => `deb [signed-by=${keyring}] ${source}\n`).join('');
}

/**
 * The sources of a Debian release among apt's index targets (lines of archive, suite and component): the release with
 * its updates, or one more suite of the same archive alone.
 */
export function debianSources(targets: string, release: string, suiteSuffix?: string): string[] {
  const sources = new Set<string>();
  for (const line of targets.split('\n')) {
    const [uri = '', suite = '', component = ''] = line.split(' ');
    if (component !== 'main') continue;
    if (suiteSuffix === undefined) {
      if (suite === release || suite.startsWith(`${release}-`)) sources.add(`${uri} ${suite} main`);
    } else if (suite === release) {
      sources.add(`${uri} ${release}${suiteSuffix} main`);
    }
  }
  return [...sources];
}
