import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitForGuest } from '../../lab/guest/index.ts';
import { cacheDirectory } from '../host/cache-directory.ts';
import { spawnTied } from '../host/tied-process.ts';

/** A kernel that runs under KVM at all answers well within this. */
const kvmPatienceMs = 8000;

/**
 * KVM where guests really run with it, else TCG. `/dev/kvm` can open and create a VM and still
 * never get a stock kernel past its first page-table switch, so it is tried with the lab guest;
 * the answer is kept until the next boot of this host.
 */
export async function chooseAccelerator(
  qemu: string,
  image: { readonly kernel: string; readonly initrd: string } | undefined,
  onProgress: (text: string) => void,
): Promise<'kvm' | 'tcg'> {
  if (image === undefined || !mayOpenKvm()) return 'tcg';
  const file = verdictFile(qemu);
  const known = readVerdict(file);
  if (known !== undefined) return known;
  onProgress('try KVM, once');
  const verdict = (await guestRuns(qemu, image)) ? 'kvm' : 'tcg';
  writeFileSync(file, verdict);
  return verdict;
}

function mayOpenKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function verdictFile(qemu: string): string {
  const directory = cacheDirectory();
  mkdirSync(directory, { recursive: true });
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return join(directory, `accelerator-${boot}-${qemu.replaceAll(/[^\w.-]/g, '_')}`);
}

function readVerdict(file: string): 'kvm' | 'tcg' | undefined {
  try {
    return readFileSync(file, 'utf8') === 'kvm' ? 'kvm' : 'tcg';
  } catch {
    return undefined;
  }
}

async function guestRuns(
  qemu: string,
  image: { readonly kernel: string; readonly initrd: string },
): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'vmplug-kvm-'));
  const socket = join(directory, 'exec.sock');
  const child = spawnTied(
    qemu,
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'q35', '-accel', 'kvm'],
      ...['-cpu', 'max', '-m', '256M', '-kernel', image.kernel, '-initrd', image.initrd],
      ...[
        '-append',
        'console=ttyS0 quiet',
        '-serial',
        'null',
        '-serial',
        `unix:${socket},server=on,wait=off`,
      ],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
  const giveUp = new AbortController();
  void ended.then(() => giveUp.abort());
  try {
    await waitForGuest(socket, { timeoutMs: kvmPatienceMs, signal: giveUp.signal });
    return true;
  } catch {
    return false;
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}
