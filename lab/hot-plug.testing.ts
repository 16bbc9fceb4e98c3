import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { qemuVersion } from './back-ends/served.testing.ts';
import { writeAt0 } from './devices-disks.testing.ts';
import type { GuestName } from './guests.ts';
import type { Lab } from './harness.ts';

/** A disk as vmplug's documents have it, as far as the tests on x86 look. */
export interface Disk {
  readonly id: string;
  readonly serial: string;
  readonly driver: string;
  readonly state: string;
  readonly evidence: 'live';
  readonly vmmId: string;
  readonly place: { readonly bus: string; readonly slot?: number };
  readonly guest: {
    readonly byId: string;
    readonly pci: string;
    readonly pciPath?: string;
    readonly scsi?: string;
  };
}

/** A machine of the lab's as the table of kinds names it. */
export interface X86Machine {
  readonly guest: GuestName;
  readonly machine: string;
  /** Where a virtio-blk disk has to be, by the bus's name. */
  readonly bus: RegExp;
  readonly args: readonly string[];
}

const controller = ['-device', 'virtio-scsi-pci,id=hba'];
/** Of the 32 slots the machine itself takes 2; the bridge and the controller the next 2. */
const fillers = Array.from({ length: 28 }, () => ['-device', 'pci-testdev']).flat();

/** Every x86 machine on which disks come and go, with a SCSI controller; behind the bridge all of them have to go. */
export const x86Machines: readonly X86Machine[] = (['', '@10'] as const).flatMap((version) => [
  { guest: `q35${version}`, machine: 'q35', bus: /^rp\d$/, args: controller },
  { guest: `q35-native${version}`, machine: 'q35 with native ports', bus: /^rp\d$/, args: controller },
  { guest: `pc${version}`, machine: 'pc', bus: /^pci\.0$/, args: controller },
  {
    guest: `pc-bridge${version}`,
    machine: 'pc with a pci-bridge',
    bus: /^br0$/,
    args: [...controller, ...fillers],
  },
]);

/** What is expected of every machine of a version. */
export async function expectVersion(lab: Lab, { guest }: X86Machine): Promise<string> {
  const version = await qemuVersion(lab, 'vm1');
  expect(version).toMatch(guest.endsWith('@10') ? /^10\.0\./ : /^7\.2\./);
  return version;
}

/**
 * Where the guest itself has its one disk of a serial: the functions on the way to it from the root bus, and of a SCSI
 * disk its address.
 */
export async function ownAddress(lab: Lab, serial: string): Promise<{ functions: string[]; scsi?: string }> {
  const disk = (await lab.disks('vm1')).find((each) => each.serial === serial);
  const { stdout } = await lab.guest('vm1', `readlink -f /sys/block/${disk?.name}/device`);
  const parts = stdout.toString('utf8').trim().split('/');
  const functions = parts.filter((part) => /^[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.\d$/.test(part));
  const scsi = parts.find((part) => /^\d+:\d+:\d+:\d+$/.test(part));
  return { functions, ...(scsi === undefined ? {} : { scsi }) };
}

/** `02/00` from `0000:00:02.0` and `0000:01:00.0`: the slots, with the function where it is not 0. */
export function pathOf(functions: readonly string[]): string {
  return functions.map((name) => name.slice(-4).replace(/\.0$/, '')).join('/');
}

const far = 1024 * 1024;

/** Bytes of the host's are read in the guest; what the guest writes is the host's when the disk has left. */
export async function useBothWays(lab: Lab, image: string, { id, guest }: Disk): Promise<() => void> {
  const [put, written] = [`put in on the host for ${id}`, `written in the guest by ${id}`];
  writeAt0(image, put);
  const { exitCode, stdout, stderr } = await lab.guest(
    'vm1',
    `dd if=${guest.byId} bs=512 count=1 2>/dev/null | head -c ${put.length}
    printf '${written}' | dd of=${guest.byId} bs=512 seek=${far / 512} conv=sync,fsync 2>/dev/null`,
  );
  expect(exitCode, stderr.toString('utf8')).toBe(0);
  expect(stdout.toString('utf8')).toBe(put);
  return () => expect(readFileSync(image).toString('utf8', far, far + written.length)).toBe(written);
}
