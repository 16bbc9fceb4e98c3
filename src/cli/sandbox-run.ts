import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { hasCode, VmplugError } from '../api/errors.ts';
import { evidenceLevels, type Evidence } from '../api/evidence.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import type { MachineType } from '../hypervisors/qemu/machine-options.ts';
import { qemuProgram } from '../hypervisors/qemu/programs.ts';
import { printAttached, warnOfStaying } from './attach-output.ts';
import { deviceDocument } from './device-document.ts';
import { addMachineFlags, machineWishes, wrong, type MachineFlags } from './machine-flags.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printJson, progress } from './output.ts';
import { sandboxDocument, vmmText } from './sandbox-document.ts';

interface RunFlags extends TimedOptions, MachineFlags {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly accel: 'tcg' | 'kvm' | 'auto';
  readonly qemu?: string;
  readonly coldPlug?: readonly string[];
  readonly tag?: string;
  readonly mac?: string;
  readonly wait: Evidence;
}

/** `vmplug sandbox run` */
export function addSandboxRun(sandbox: Command): void {
  const command = sandbox
    .command('run')
    .description('start a VM with QEMU: the lab guest, or a kernel of your own')
    .argument('<name>');
  addMachineFlags(command)
    .option('--kernel <file>', 'instead of the lab guest')
    .option('--initrd <file>', 'with --kernel')
    .option('--append <text>', "added to the kernel's command line")
    .addOption(
      new Option('--accel <accelerator>', 'auto tries KVM once and remembers whether guests run with it')
        .choices(['tcg', 'kvm', 'auto'])
        .default('auto'),
    )
    .option('--qemu <program>', 'which QEMU (default: by the machine, qemu-system-x86_64)')
    .addOption(
      new Option(
        '--cold-plug <source...>',
        'devices that the VM has from the start, as for attach; after the name, or repeated',
      ).argParser((source: string, others: readonly string[] | undefined) => [...(others ?? []), source]),
    )
    .option('--tag <tag>', 'for the one vhost-user-fs in --cold-plug: what the guest mounts')
    .option('--mac <address>', 'for the one vhost-user-net in --cold-plug')
    .addOption(
      new Option('--wait <evidence>', 'what has to be seen of the guest for each in --cold-plug')
        .choices(evidenceLevels)
        .default('live'),
    );
  command.addHelpText('after', runHelp);
  timed(command, '60s', 'how long to wait for the guest');
  common(command).action(runSandboxRun);
}

async function runSandboxRun(name: string, flags: RunFlags): Promise<void> {
  const machine = machineWishes(flags);
  checkFlags(flags);
  const signal = interruptible();
  const [{ Vmplug }, { ensureGuestImage, waitForGuest }, { chooseAccelerator }, { readColdPlug }] =
    await Promise.all([
      import('../manager/vmplug.ts'),
      import('../../lab/guest/index.ts'),
      import('./accelerator.ts'),
      import('./cold-plug.ts'),
    ]);
  const coldPlug = readColdPlug(flags.coldPlug ?? [], flags);
  await using vmplug = Vmplug.open({
    ...(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir }),
    onProgress: progress,
  });
  const usesLabGuest = flags.kernel === undefined;
  const needsImage = usesLabGuest || flags.accel === 'auto';
  const architecture = architectures[machine.machine];
  const image = needsImage
    ? await ensureGuestImage({ architecture, onProgress: progress, signal })
    : undefined;
  const binary = flags.qemu ?? qemuProgram(machine.machine);
  const accel = flags.accel === 'auto' ? await accelerator(architecture) : flags.accel;
  async function accelerator(guest: string): Promise<'kvm' | 'tcg'> {
    return guest === 'amd64' ? chooseAccelerator(binary, image, progress) : 'tcg';
  }
  const started = performance.now();
  const guestUp = async (sandbox: SandboxRecord): Promise<void> => {
    if (sandbox.execSocket === undefined) return;
    try {
      await waitForGuest(sandbox.execSocket, { timeoutMs: flags.timeout, signal });
    } catch (error) {
      throw notUp(name, error, consoleEnd(sandbox));
    }
  };
  const record = await vmplug.run({
    ...machine,
    name,
    ...kernelOf(flags, image),
    ...(flags.append === undefined ? {} : { append: flags.append }),
    accel,
    binary,
    execs: usesLabGuest,
    coldPlug: coldPlug.map((device) => ({ ...device, onPlanned: warnOfStaying })),
    wait: flags.wait,
    guestUp,
    timeoutMs: flags.timeout,
    signal,
  });
  const bootMs = Math.round(performance.now() - started);
  const devices = vmplug.list(name);
  if (flags.json === true) {
    const described = devices.map(deviceDocument);
    printJson('sandbox', { ...sandboxDocument(record), accel, bootMs, devices: described });
    return;
  }
  print(`${name}  ${vmmText(record)} (${accel}), up after ${bootMs} ms`);
  devices.forEach(printAttached);
}

/** Of the guest in a machine, as Debian calls it. */
const architectures: Readonly<Record<MachineType, 'amd64' | 'arm64' | 's390x'>> = {
  q35: 'amd64',
  pc: 'amd64',
  virt: 'arm64',
  's390-ccw-virtio': 's390x',
};

/** What `vmplug sandbox run --help` ends with. */
const runHelp = `
A device with options of its own is a JSON object with the names of attach's flags.

Examples:
  vmplug sandbox run vm1
  vmplug sandbox run vm1 --cold-plug ./disk.img /dev/sdb vfio:0000:3b:00.0
  vmplug sandbox run vm1 --cold-plug '{"source":"./disk.qcow2","driver":"virtio-scsi","readOnly":true}'
  vmplug sandbox run vm1 --cold-plug vhost-user-fs:/run/fs.sock --tag data
  vmplug sandbox run vm1 --memory-slots 4 --max-memory 4G
  vmplug sandbox run vm1 --machine virt`;

function kernelOf(
  { kernel, initrd }: RunFlags,
  image: { kernel: string; initrd: string } | undefined,
): { kernel: string; initrd?: string } {
  if (kernel !== undefined) return initrd === undefined ? { kernel } : { kernel, initrd };
  if (image === undefined) throw new TypeError('no kernel and no image');
  return { kernel: image.kernel, initrd: image.initrd };
}

function checkFlags(flags: RunFlags): void {
  if (flags.initrd !== undefined && flags.kernel === undefined) {
    throw wrong('--initrd', 'it goes with --kernel', 'give a --kernel too');
  }
}

/** What the guest said last; the file goes with the VM. */
function consoleEnd({ directory }: SandboxRecord): string {
  if (directory === undefined) return '';
  try {
    const lines = readFileSync(join(directory, 'console.log'), 'utf8').trim().split('\n');
    return lines.slice(-consoleLines).join('\n').slice(-consoleLength);
  } catch {
    return '';
  }
}

const consoleLines = 5;
const consoleLength = 500;

function notUp(name: string, error: unknown, words: string): unknown {
  if (!(error instanceof VmplugError)) return error;
  const console = words === '' ? 'its console is empty' : `its console ends with:\n${words}`;
  return new VmplugError(error.code, {
    action: 'start',
    subject: name,
    reason: `${error.reason}, so its VM was ended again; ${console}`,
    hint: hasCode(error, 'deadline-passed')
      ? 'give it longer with --timeout 2m, or more with --memory 512M; nothing was left behind'
      : 'the guest has ended, or somebody has stopped it; nothing was left behind',
    cause: error,
  });
}
