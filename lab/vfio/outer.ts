import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { QmpConnection } from '../../src/hypervisors/qemu/index.ts';
import { guardedDirectory, releaseDirectory } from '../guard/guard.ts';
import { execInGuest, type GuestResult } from '../guest/index.ts';
import { shellCommand } from '../guest/protocol.ts';
import { Agent } from './agent.ts';
import { outerArguments, outerSockets, type Iommu } from './machine.ts';
import type { OuterImage } from './outer-image.ts';
import { startQemuProcess, type QemuProcess } from './qemu-process.ts';
import { thawInner } from './save-outer.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** How long anything in the outer guest may take, in milliseconds: everything there is emulated. */
const patienceMs = 300_000;

/** Goes before every script: the state and what vmplug keeps are in the outer guest's memory. */
const environment = `export PATH=/usr/sbin:/usr/bin:/bin HOME=/run/home VMPLUG_STATE_DIR=/run/state VMPLUG_CACHE_DIR=/run/cache NO_COLOR=1
`;

/** What vmplug is on this host at the moment, and the folder for what tests put there. */
const mountShares = `set -e
for share in checkout given; do
  mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose $share /$share
done
mkdir -p /run/home
`;

/** A copy of the built tool: another build on this host, which removes the one before, is of no concern to a test. */
async function copyTool(to: string): Promise<void> {
  for (const name of ['bin', 'dist/bin', 'package.json']) {
    await cp(join(root, name), join(to, name), { recursive: true });
  }
}

/** How a command of vmplug ended. */
export interface OuterResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function remove(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  releaseDirectory(directory);
}

/** A machine with an IOMMU and a running VM in it. It ends with its handle. */
export class Outer implements AsyncDisposable {
  readonly qmp: QmpConnection;
  /** On this host; what is put here is at `/given` in the outer guest. */
  readonly work: string;
  readonly #directory: string;
  readonly #qemu: QemuProcess;
  #agent: Promise<Agent> | undefined;

  private constructor(directory: string, qemu: QemuProcess) {
    this.#directory = directory;
    this.work = join(directory, 'work');
    this.#qemu = qemu;
    this.qmp = qemu.qmp;
  }

  /** Resumes the saved machine: with an IOMMU the inner VM runs in it. */
  static async resume(image: OuterImage, iommu: Iommu = 'on'): Promise<Outer> {
    const outer = await Outer.#start(image, iommu);
    try {
      await until('the saved state is loaded', async () => (await outer.#status()) !== 'inmigrate');
      await outer.qmp.execute('cont');
      await outer.sh(`${iommu === 'on' ? thawInner : ''}${mountShares}`);
      return outer;
    } catch (error) {
      const console = await readFile(outer.sockets.console, 'utf8').catch(() => '');
      await outer[Symbol.asyncDispose]();
      throw new Error(`the outer machine is not ready: ${outer.#qemu.said()}\n${console.slice(-3000)}`, {
        cause: error,
      });
    }
  }

  static async #start(image: OuterImage, iommu: Iommu): Promise<Outer> {
    const directory = guardedDirectory('vmplug-vfio-');
    const channels = { directory, checkout: join(directory, 'checkout'), work: join(directory, 'work') };
    try {
      await mkdir(channels.work);
      await copyTool(channels.checkout);
      const incoming = ['-incoming', `exec:cat '${image.states[iommu]}'`];
      const args = [...outerArguments(image, channels, iommu), ...incoming];
      return new Outer(directory, await startQemuProcess(image.qemu, args, outerSockets(directory).qmp));
    } catch (error) {
      await remove(directory);
      throw error;
    }
  }

  get sockets(): ReturnType<typeof outerSockets> {
    return outerSockets(this.#directory);
  }

  async #status(): Promise<string> {
    return z.object({ status: z.string() }).parse(await this.qmp.execute('query-status')).status;
  }

  /** Runs a shell script in the outer guest. */
  async exec(script: string): Promise<GuestResult> {
    return await execInGuest(this.sockets.exec, environment + script, { timeoutMs: patienceMs });
  }

  /** Runs a shell script in the outer guest, which has to succeed; what it prints, without the last newline. */
  async sh(script: string): Promise<string> {
    return printed(script, await this.exec(script));
  }

  /** Runs a shell script in the inner guest, which has to succeed. Forks are dear there: use the shell's own words. */
  async inner(script: string): Promise<string> {
    return printed(script, await execInGuest(this.sockets.inner, script, { timeoutMs: patienceMs }));
  }

  /** Runs the command line of the checkout in the outer guest. */
  async vmplug(...args: readonly string[]): Promise<OuterResult> {
    const { exitCode, stdout, stderr } = await this.exec(shellCommand(['/checkout/bin/vmplug', ...args]));
    return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** Runs `vmplug … --json`, which has to succeed, and returns its document. */
  async ok<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.vmplug(...args, '--json');
    if (code !== 0) throw new Error(`vmplug ${args.join(' ')} exited ${code}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** vmplug as a library, in one process of the outer guest that is started on first use. */
  library(): Promise<Agent> {
    this.#agent ??= Agent.start(this.sockets.agent, this.work, (script) => this.sh(script));
    return this.#agent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#agent?.catch(() => undefined))?.[Symbol.dispose]();
    await this.#qemu[Symbol.asyncDispose]();
    await remove(this.#directory);
  }
}

function printed(script: string, { exitCode, stdout, stderr }: GuestResult): string {
  if (exitCode === 0) return stdout.toString().replace(/\n$/, '');
  throw new Error(`${script}\nended with ${exitCode}: ${stdout.toString()}${stderr.toString()}`);
}

/**
 * Waits until `holds` says yes.
 *
 * @throws Error when it has not in {@link patienceMs}
 */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${patienceMs} ms`);
    await sleep(20);
  }
}
