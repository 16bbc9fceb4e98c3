import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../../src/api/json.ts';
import { runProgram } from '../guest/run-program.ts';
import { outerPorts } from './machine.ts';
import { until, type Outer } from './outer.ts';

/** Where a device is plugged into the outer machine: a root port by its number, and the function of its one slot. */
export interface OuterPlace {
  readonly port: number;
  readonly function?: number;
  /** Function 0 of several: plugged last, because the guest looks for the others when it comes. */
  readonly multifunction?: boolean;
}

/** The address of a place in the outer guest, `0000:01:00.0`. */
function addressOf({ port, function: number = 0 }: OuterPlace): string {
  return `0000:${(port + 1).toString(16).padStart(2, '0')}:00.${number}`;
}

/** Bytes of a disk's image that are known, by where they are. */
export type KnownBytes = Readonly<Record<number, string>>;

const diskBytes = 16 * 1024 * 1024;

/** Plugs an NVMe disk, empty but for bytes that are known or a file system, into the outer machine and waits until its driver there has it. */
export async function addNvme(
  outer: Outer,
  place: OuterPlace,
  known: KnownBytes = {},
  fileSystem?: 'ext4',
): Promise<OuterDevice> {
  const id = idOf('nvme', place);
  const image = join(outer.work, `${id}.img`);
  writeFileSync(image, '');
  truncateSync(image, diskBytes);
  const file = openSync(image, 'r+');
  for (const [at, text] of Object.entries(known)) writeSync(file, text, Number(at));
  closeSync(file);
  if (fileSystem === 'ext4') await runProgram('mkfs.ext4', ['-q', '-F', image]);
  const node = { driver: 'raw', 'node-name': `${id}-disk`, file: { driver: 'file', filename: image } };
  await outer.qmp.execute('blockdev-add', node);
  return await plug(outer, place, { driver: 'nvme', id, drive: `${id}-disk`, serial: `LAB${place.port}` });
}

/** Plugs an Intel network card into the outer machine: `e1000e`, or `igb`, which has SR-IOV. */
export async function addNic(
  outer: Outer,
  driver: 'e1000e' | 'igb',
  place: OuterPlace,
): Promise<OuterDevice & { readonly mac: string }> {
  const id = idOf(driver, place);
  const mac = macOf(place);
  await outer.qmp.execute('netdev_add', { type: 'user', id: `${id}-net`, restrict: true });
  const device = await plug(outer, place, { driver, id, netdev: `${id}-net`, mac, romfile: '' });
  return { ...device, mac };
}

/** A device of the outer machine. */
export interface OuterDevice {
  readonly id: string;
  /** In the outer guest. */
  readonly address: string;
}

function macOf({ port, function: number = 0 }: OuterPlace): string {
  return `52:54:00:0a:0${number}:0${port}`;
}

function idOf(driver: string, { port, function: number = 0 }: OuterPlace): string {
  return `${driver}-${port}-${number}`;
}

async function plug(
  outer: Outer,
  place: OuterPlace,
  device: JsonObject & { id: string },
): Promise<OuterDevice> {
  const { function: number = 0, multifunction = false } = place;
  const bus = outerPorts[place.port];
  if (bus === undefined) throw new Error(`there is no port ${place.port}`);
  await outer.qmp.execute('device_add', {
    ...device,
    bus,
    addr: `0.${number}`,
    multifunction: multifunction || number > 0,
  });
  const address = addressOf(place);
  // Another function of the slot is found with function 0.
  if (number === 0) await until(`${address} has its driver`, async () => await hasNativeUse(outer, address));
  return { id: device.id, address };
}

/** Whether the outer guest's own driver uses a function: a network interface or a disk of it is there. */
export async function hasNativeUse(outer: Outer, address: string): Promise<boolean> {
  const device = `/sys/bus/pci/devices/${address}`;
  const { exitCode } = await outer.exec(
    `set -- ${device}/net/* ${device}/nvme/*/nvme*n1; [ -e $1 ] || [ -e $2 ]`,
  );
  return exitCode === 0;
}
