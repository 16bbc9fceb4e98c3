import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { VmplugError } from '../api/errors.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { common, interruptible, timed, wholeNumber, type TimedOptions } from './options.ts';
import { print, printJson, progress } from './output.ts';
import { sandboxDocument, vmmText } from './sandbox-document.ts';

interface RunFlags extends TimedOptions {
  readonly machine: 'q35' | 'pc';
  readonly ports?: number;
  readonly memory: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly accel: 'tcg' | 'kvm' | 'auto';
  readonly qemu: string;
}

const defaultPorts = 8;

/** `vmplug sandbox run` */
export function addSandboxRun(sandbox: Command): void {
  const command = sandbox
    .command('run')
    .description('start a VM with QEMU: the lab guest, or a kernel of your own')
    .argument('<name>')
    .addOption(new Option('--machine <type>').choices(['q35', 'pc']).default('q35'))
    .addOption(
      new Option(
        '--ports <n>',
        `root ports that take hot-plug, q35 only (default: ${defaultPorts})`,
      ).argParser(wholeNumber),
    )
    .option('--memory <size>', 'such as 256M or 2G', '256M')
    .option('--kernel <file>', 'instead of the lab guest')
    .option('--initrd <file>', 'with --kernel')
    .option('--append <text>', "added to the kernel's command line")
    .addOption(
      new Option('--accel <accelerator>', 'auto tries KVM once and remembers whether guests run with it')
        .choices(['tcg', 'kvm', 'auto'])
        .default('auto'),
    )
    .addOption(new Option('--qemu <program>').default('qemu-system-x86_64'));
  timed(command, '60s', 'how long to wait for the guest');
  common(command).action(runSandboxRun);
}

async function runSandboxRun(name: string, flags: RunFlags): Promise<void> {
  checkFlags(flags);
  const signal = interruptible();
  const [{ Vmplug }, { ensureGuestImage, waitForGuest }, { chooseAccelerator }] = await Promise.all([
    import('../manager/vmplug.ts'),
    import('../../lab/guest/index.ts'),
    import('./accelerator.ts'),
  ]);
  await using vmplug = Vmplug.open({
    ...(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir }),
    onProgress: progress,
  });
  const usesLabGuest = flags.kernel === undefined;
  const needsImage = usesLabGuest || flags.accel === 'auto';
  const image = needsImage ? await ensureGuestImage({ onProgress: progress, signal }) : undefined;
  const accel = flags.accel === 'auto' ? await chooseAccelerator(flags.qemu, image, progress) : flags.accel;
  const started = performance.now();
  const record = await vmplug.run({
    name,
    machine: flags.machine,
    ports: flags.ports ?? (flags.machine === 'q35' ? defaultPorts : 0),
    memory: flags.memory,
    ...kernelOf(flags, image),
    ...(flags.append === undefined ? {} : { append: flags.append }),
    accel,
    binary: flags.qemu,
    execs: usesLabGuest,
    timeoutMs: flags.timeout,
    signal,
  });
  if (record.execSocket !== undefined) {
    progress('wait for the guest');
    try {
      await waitForGuest(record.execSocket, { timeoutMs: flags.timeout, signal });
    } catch (error) {
      const words = consoleEnd(record);
      await vmplug.stop(name);
      throw notUp(name, error, words);
    }
  }
  const bootMs = Math.round(performance.now() - started);
  if (flags.json === true) printJson('sandbox', { ...sandboxDocument(record), accel, bootMs });
  else print(`${name}  ${vmmText(record)} (${accel}), up after ${bootMs} ms`);
}

function kernelOf(
  { kernel, initrd }: RunFlags,
  image: { kernel: string; initrd: string } | undefined,
): { kernel: string; initrd?: string } {
  if (kernel !== undefined) return initrd === undefined ? { kernel } : { kernel, initrd };
  if (image === undefined) throw new TypeError('no kernel and no image');
  return { kernel: image.kernel, initrd: image.initrd };
}

function checkFlags(flags: RunFlags): void {
  const wrong = (subject: string, reason: string, hint: string): VmplugError =>
    new VmplugError('invalid-argument', { action: 'start a VM with', subject, reason, hint });
  if (flags.machine === 'pc' && flags.ports !== undefined) {
    throw wrong('--ports', 'pc has no root ports: its root bus takes devices itself', 'leave --ports out');
  }
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
    hint: 'give it longer with --timeout 2m, or more with --memory 512M; nothing was left behind',
    cause: error,
  });
}
