import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ErrorCode } from '../src/api/error-codes.ts';
import { readListing } from '../src/manager/listing.ts';
import { inGuest, type Device } from './back-ends/served.testing.ts';
import { writeAt0 } from './devices-disks.testing.ts';
import { changesNothing, refused, type Refusal } from './errors.testing.ts';
import type { Lab } from './harness.ts';
import { ensureQemu10 } from './setup/qemu10.ts';

/** What `sandbox run` says of a start. */
export interface Started {
  readonly version: string;
  readonly devices: readonly (Device & { readonly source: string; readonly serial: string })[];
}

/** Starts a sandbox with devices that it has from the start. */
export async function runWith(
  lab: Lab,
  name: string,
  sources: readonly (string | object)[],
  ...flags: string[]
): Promise<Started> {
  return lab.ok<Started>('sandbox', 'run', name, '--accel', 'tcg', ...coldPlugFlags(sources), ...flags);
}

/** The flags by which a sandbox is started with the system's QEMU, or with QEMU 10. */
export async function qemuFlags(version: '7.2' | '10'): Promise<string[]> {
  return version === '10' ? ['--qemu', (await ensureQemu10()).wrapper] : [];
}

/** A start of vm1 that is refused, and leaves no record, claim, process or directory. */
export async function refusedStart(
  lab: Lab,
  code: ErrorCode,
  sources: readonly (string | object)[],
  ...flags: string[]
): Promise<Refusal> {
  const others = readListing(lab.stateDir).sandboxes.map(({ name }) => name);
  return changesNothing(lab, others, async () => {
    const limits = flags.includes('--timeout') ? [] : ['--timeout', '20s'];
    const args = ['sandbox', 'run', 'vm1', '--accel', 'tcg', ...limits, ...coldPlugFlags(sources), ...flags];
    const error = await refused(lab, code, ...args);
    expect(existsSync(join(lab.stateDir, 'sandboxes', 'vm1'))).toBe(false);
    expect(qemusOf(lab)).toEqual([]);
    return error;
  });
}

function coldPlugFlags(sources: readonly (string | object)[]): string[] {
  const said = sources.map((source) => (typeof source === 'string' ? source : JSON.stringify(source)));
  return said.flatMap((source) => ['--cold-plug', source]);
}

/** An image that begins with some words. */
export function imageOf(lab: Lab, name: string, words: string): string {
  const path = lab.image(name);
  writeAt0(path, words);
  return path;
}

/** What the guest reads at the beginning of the disk with a serial. */
export async function firstWords(lab: Lab, vm: string, serial: string, count: number): Promise<string> {
  const disk = (await lab.disks(vm)).find((each) => each.serial === serial);
  expect(disk, `a disk with the serial ${serial}`).toBeDefined();
  return inGuest(lab, vm, `head -c ${count} /dev/${disk?.name}`);
}

/** Processes whose command line names the sandbox vm1 of the lab. */
export function qemusOf({ stateDir }: Lab): string[] {
  const own = join(stateDir, 'sandboxes', 'vm1');
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(own);
    } catch {
      return false;
    }
  });
}
