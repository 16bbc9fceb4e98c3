import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { runProgram } from '../lab/guest/run-program.ts';
import { version } from '../src/cli/version.ts';

/** The facts of this host without which figures say nothing. */
export interface HostEnvironment {
  readonly vmplug: string;
  /** Of the checkout; `-dirty` when it has changes. Missing outside one. */
  readonly commit?: string;
  readonly node: string;
  readonly kernel: string;
  readonly distribution: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Of the disk that the records are on. */
  readonly fileSystem: string;
  /** One minute's mean when the measuring began and when it had ended. */
  readonly load: readonly [number, number];
}

/** And those of the VMs. */
export interface Environment extends HostEnvironment {
  readonly qemu: string;
  readonly libvirt?: string;
  readonly accel: 'tcg';
  readonly machine: 'q35';
}

/** Looks at the host and its VMMs; `directory` is where the records are. */
export async function readEnvironment(directory: string, loadBefore: number): Promise<Environment> {
  const [host, qemu, libvirt] = await Promise.all([
    readHostEnvironment(directory, loadBefore),
    words('qemu-system-x86_64', '--version'),
    words('virsh', '--version'),
  ]);
  return {
    ...host,
    qemu: /version (\S+)/.exec(qemu ?? '')?.[1] ?? 'unknown',
    ...(libvirt === undefined ? {} : { libvirt }),
    accel: 'tcg',
    machine: 'q35',
  };
}

/** Looks at the host; `directory` is where the records are. */
export async function readHostEnvironment(directory: string, loadBefore: number): Promise<HostEnvironment> {
  const [commit, fileSystem] = await Promise.all([
    words('git', 'describe', '--always', '--dirty', '--abbrev=12'),
    words('stat', '--file-system', '--format=%T', directory),
  ]);
  return {
    vmplug: version,
    ...(commit === undefined ? {} : { commit }),
    node: process.versions.node,
    kernel: release(),
    distribution: /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown',
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fileSystem: fileSystem ?? 'unknown',
    load: [loadBefore, currentLoad()],
  };
}

export function currentLoad(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

/** What a program prints, or nothing where it is missing or fails. */
async function words(program: string, ...args: string[]): Promise<string | undefined> {
  const output = await runProgram(program, args).catch(() => undefined);
  return output?.toString('utf8').trim();
}
