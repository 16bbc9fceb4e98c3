import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { inGuest, type Device } from './back-ends/served.testing.ts';
import { writeAt0 } from './devices-disks.testing.ts';
import type { Lab } from './harness.ts';

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
  const said = sources.map((source) => (typeof source === 'string' ? source : JSON.stringify(source)));
  const coldPlug = said.flatMap((source) => ['--cold-plug', source]);
  return lab.ok<Started>('sandbox', 'run', name, '--accel', 'tcg', ...coldPlug, ...flags);
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
