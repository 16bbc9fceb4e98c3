import { spawn } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isAlive } from '../src/host/process-identity.ts';
import { readListing } from '../src/manager/listing.ts';
import { startLabGuest, type ForeignOptions, type ForeignQemu } from './foreign-qemu.ts';
import { guardedDirectory, releaseDirectory } from './guard/guard.ts';
import { removeLeftovers } from './guard/leftovers.ts';
import { execInGuest, type GuestResult } from './guest/index.ts';
import type { GuestName } from './guests.ts';

/** How a command of vmplug ended. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as the one document that `--json` prints. */
  json<T = Record<string, unknown>>(): T;
}

/** The command line, as it is in a checkout. */
export const vmplugProgram = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin/vmplug');

/**
 * A state directory of its own with the command line on it, as a user has it: every command is
 * a process. What was started in it is ended, by its own handle, when it is disposed of.
 */
export class Lab implements AsyncDisposable {
  readonly directory: string = guardedDirectory('vmplug-lab-');
  readonly stateDir: string = join(this.directory, 's');
  readonly #foreign = new Map<string, ForeignQemu>();

  /** Runs `vmplug` and waits for its end. */
  vmplug(...args: string[]): Promise<CliResult> {
    return this.start(...args).ended;
  }

  /** Starts `vmplug`; `kill` ends it at once. */
  start(...args: string[]): { ended: Promise<CliResult>; kill: (signal?: NodeJS.Signals) => void } {
    const child = spawn(vmplugProgram, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, VMPLUG_STATE_DIR: this.stateDir, NO_COLOR: '1' },
    });
    const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
    const ended = new Promise<CliResult>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        const out = Buffer.concat(stdout).toString('utf8');
        resolve({
          code: code ?? (signal === null ? -1 : -2),
          stdout: out,
          stderr: Buffer.concat(stderr).toString('utf8'),
          json: <T>() => JSON.parse(out) as T,
        });
      });
    });
    return { ended, kill: (signal = 'SIGKILL') => void child.kill(signal) };
  }

  /** Runs `vmplug` and expects it to succeed; returns its JSON document. */
  async ok<T = Record<string, unknown>>(...args: string[]): Promise<T> {
    const result = await this.vmplug(...args, '--json');
    if (result.code !== 0) {
      throw new Error(`vmplug ${args.join(' ')} exited ${result.code}: ${result.stdout}${result.stderr}`);
    }
    return result.json<T>();
  }

  /** Starts a sandbox with the lab guest under TCG. */
  async run(name: string, ...flags: string[]): Promise<void> {
    await this.ok('sandbox', 'run', name, '--accel', 'tcg', ...flags);
  }

  /**
   * Starts one of the lab's machines by hand, as somebody else would, and adopts it. It ends with the lab, or earlier
   * with its handle.
   */
  async adopt(
    name: string,
    guest: GuestName,
    args: readonly string[] = [],
    options: ForeignOptions = {},
  ): Promise<ForeignQemu> {
    const directory = this.path(`vm-${name}`);
    mkdirSync(directory);
    const vm = await startLabGuest(directory, guest, args, options);
    this.#foreign.set(name, vm);
    await this.ok('sandbox', 'adopt', name, '--qmp', vm.qmp);
    return vm;
  }

  /** The record of a sandbox that was started or adopted here. */
  sandbox(name: string): { socket: string; execSocket: string; pid: number } {
    const record = readListing(this.stateDir, name).sandboxes.find((sandbox) => sandbox.name === name);
    return {
      socket: record?.socket ?? '',
      execSocket: record?.execSocket ?? this.#foreign.get(name)?.exec ?? '',
      pid: record?.process?.pid ?? this.#foreign.get(name)?.pid ?? 0,
    };
  }

  /** Runs a shell script in the lab guest. */
  guest(name: string, script: string): Promise<GuestResult> {
    return execInGuest(this.sandbox(name).execSocket, script, { timeoutMs: 60_000 });
  }

  /** The guest's own view of its disks. */
  async disks(name: string): Promise<GuestDisk[]> {
    const { stdout } = await this.guest(name, 'disks');
    return JSON.parse(stdout.toString('utf8')) as GuestDisk[];
  }

  /** A path in the lab's directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** A file of its own in the lab's directory, of so many bytes. */
  image(name: string, bytes = 16 * 1024 * 1024): string {
    const path = this.path(name);
    writeFileSync(path, '');
    truncateSync(path, bytes);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const vm of this.#foreign.values()) await vm[Symbol.asyncDispose]();
    const { sandboxes } = readListing(this.stateDir);
    for (const sandbox of sandboxes) {
      if (sandbox.origin !== 'run' || sandbox.process === undefined || !isAlive(sandbox.process)) continue;
      process.kill(sandbox.process.pid, 'SIGKILL');
    }
    await removeLeftovers(this.directory);
    releaseDirectory(this.directory);
  }
}

/** A disk as the guest sees it. */
export interface GuestDisk {
  readonly name: string;
  readonly size: number;
  readonly serial: string;
  readonly path: string;
  readonly readOnly: boolean;
}
