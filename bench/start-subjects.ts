import type { Lab } from '../lab/harness.ts';
import { libvirtPackages, missingPackages } from '../lab/setup/packages.ts';
import type { Absent } from './results.ts';
import type { Subject } from './subject.ts';
import { subjectTitles, type SubjectName } from './stages.ts';
import { CommandLine } from './subjects/command-line.ts';
import { Floor } from './subjects/floor.ts';
import { Library } from './subjects/library.ts';
import { LibvirtSubject } from './subjects/libvirt.ts';

export interface StartedSubjects {
  readonly subjects: readonly Subject[];
  readonly absent: readonly Absent[];
  /** Ends what was started beside the sandboxes of the lab. */
  readonly resources: AsyncDisposableStack;
}

const ports = 8;

/**
 * Starts a VM of the same arguments for each subject. One VM for all would have to be handed on
 * between them, because a QMP socket serves one client, and connecting would be measured too.
 */
export async function startSubjects(
  lab: Lab,
  names: readonly SubjectName[],
  say: (text: string) => void,
): Promise<StartedSubjects> {
  await using resources = new AsyncDisposableStack();
  const subjects: Subject[] = [];
  const absent: Absent[] = [];
  for (const name of names) {
    const missing = name === 'libvirt' ? await withoutLibvirt() : undefined;
    if (missing !== undefined) {
      absent.push(missing);
      continue;
    }
    say(`start a VM for: ${subjectTitles[name]}`);
    subjects.push(await start(lab, name, resources));
  }
  return { subjects, absent, resources: resources.move() };
}

async function start(lab: Lab, name: SubjectName, resources: AsyncDisposableStack): Promise<Subject> {
  const image = lab.image(`${name}.img`);
  if (name === 'libvirt') return resources.use(await LibvirtSubject.start(lab.directory, image, ports));
  await lab.run(name, '--ports', String(ports));
  switch (name) {
    case 'floor':
      return resources.use(await Floor.start(lab.sandbox(name).socket, image));
    case 'library':
      return resources.use(new Library(lab.stateDir, name, image));
    case 'cli':
      return new CommandLine(lab, name, image);
  }
}

/** Why libvirt cannot be measured here, and what helps. */
async function withoutLibvirt(): Promise<Absent | undefined> {
  const missing = (await missingPackages(libvirtPackages)).map((entry) => entry.package);
  if (missing.length > 0) {
    const hint = `sudo apt-get install --no-install-recommends ${missing.join(' ')}`;
    return { subject: 'libvirt', reason: 'it is not installed', hint };
  }
  if (process.getuid?.() === 0) return undefined;
  const reason = 'a libvirtd of our own needs root for its namespaces';
  return { subject: 'libvirt', reason, hint: 'run the benchmark as root' };
}

const recorded = 'recorded';
const recordedDevices = 5;

/** Attaches a handful of disks to a VM of their own, for `vmplug ls` to list. */
export async function recordDevices(lab: Lab, say: (text: string) => void): Promise<void> {
  say(`start a VM with ${recordedDevices} disks for vmplug ls`);
  await lab.run(recorded, '--ports', String(ports));
  for (let index = 0; index < recordedDevices; index += 1) {
    await lab.ok('attach', recorded, lab.image(`${recorded}-${index}.img`));
  }
}
