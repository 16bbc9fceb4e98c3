import { openSync, closeSync, statSync, writeSync } from 'node:fs';
import type { DeviceInfo } from '../src/api/device-info.ts';
import { serialOf } from '../src/api/names.ts';
import { infoOf } from '../src/devices/managed/device.testing.ts';
import { deviceNumber, type DeviceNumber } from '../src/host/device-number.ts';
import { SqliteStore } from '../src/store/sqlite-store.ts';
import { execInGuest } from './guest/index.ts';
import type { Lab } from './harness.ts';
import { run } from './two-vms.testing.ts';

/** A block node of this host whose first bytes are known. It is released by its handle. */
export interface LoopDisk extends Disposable {
  readonly node: string;
  readonly number: DeviceNumber;
  readonly words: string;
  /** A container's request for it. */
  info(more?: Partial<DeviceInfo>): DeviceInfo;
}

/**
 * Makes a loop device of an image in the lab's directory. Needs root, and losetup of the
 * package mount: without them it fails.
 */
export function loopDisk(lab: Lab, name: string): LoopDisk {
  const image = lab.image(`${name}.img`);
  const words = `put into ${name} on the host`;
  writeAt0(image, words);
  const node = run('losetup', '-f', '--show', image);
  const number = deviceNumber(statSync(node, { bigint: true }).rdev);
  const { major: Major, minor: Minor } = number;
  return {
    node,
    number,
    words,
    info: (more) => infoOf({ DevType: 'b', Major, Minor, ContainerPath: `/dev/${name}`, ...more }),
    [Symbol.dispose]: () => void run('losetup', '-d', node),
  };
}

/** Puts text at the beginning of a file, the rest of which stays. */
export function writeAt0(path: string, words: string): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, words);
  } finally {
    closeSync(file);
  }
}

/** A disk as the guest's own sysfs has it. */
export interface SeenDisk {
  /** From the root bus down to the function that the disk hangs on: `['02', '00']`. */
  readonly pciSlots: readonly string[];
  /** `H:C:T:L` of a SCSI disk. */
  readonly scsi?: string;
  /** The first bytes of the disk. */
  readonly words: string;
}

/** The disk of a device, found in the guest by its serial; `undefined` when the guest has none. */
export async function seenDisk(
  execSocket: string,
  device: string,
  words: string,
): Promise<SeenDisk | undefined> {
  const inGuest = async (script: string): Promise<string> =>
    (await execInGuest(execSocket, script, { timeoutMs: 60_000 })).stdout.toString('utf8');
  const disks = JSON.parse(await inGuest('disks')) as { name: string; serial: string; path: string }[];
  const disk = disks.find(({ serial }) => serial === serialOf(device));
  if (disk === undefined) return undefined;
  const look = `readlink -f /sys/block/${disk.name}; head -c ${words.length} ${disk.path}`;
  const [sysfs = '', ...bytes] = (await inGuest(look)).split('\n');
  const scsi = /\/(\d+:\d+:\d+:\d+)\//.exec(sysfs)?.[1];
  return { pciSlots: pciSlotsOf(sysfs), words: bytes.join('\n'), ...(scsi === undefined ? {} : { scsi }) };
}

/** The slots on the way to a device in sysfs; a function other than 0 shows as in lspci. */
function pciSlotsOf(sysfs: string): string[] {
  return [...sysfs.matchAll(/\/[0-9a-f]{4}:[0-9a-f]{2}:([0-9a-f]{2}\.[0-7])(?=\/)/g)].map(([, slot = '']) =>
    slot.replace(/\.0$/, ''),
  );
}

/** Who has a claim on a block node of this host, in the records of a lab. */
export function holdersOf(lab: Lab, { number: { major, minor } }: LoopDisk): string[] {
  using store = SqliteStore.open(lab.stateDir);
  return store.read((tx) => tx.holders(`block:${major}:${minor}`)).map(({ device }) => device);
}
