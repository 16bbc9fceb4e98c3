import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { runProgram } from '../../lab/guest/run-program.ts';
import { Lab, type GuestDisk } from '../../lab/harness.ts';
import { isAlive, processIdentity } from '../../src/host/process-identity.ts';
import type { Narrator } from './narrator.ts';

/** What `vmplug attach --json` and `detach --json` print, as far as it is read here. */
interface Device {
  readonly id: string;
  readonly state: string;
  readonly evidence: string | null;
  readonly serial: string;
  readonly guest: { readonly byId: string; readonly pci?: string; readonly scsi?: string };
  readonly timeline: Readonly<Record<string, number>>;
}

/** A disk on its way, with what goes into the document. */
interface Plugged {
  readonly disk: Disk;
  readonly device: Device;
  readonly facts: Record<string, unknown>;
}

interface Disk {
  readonly image: string;
  readonly format: 'raw' | 'qcow2';
  readonly driver: 'virtio-blk' | 'virtio-scsi';
  readonly megabytes: number;
}

const mebibyte = 1024 * 1024;
const writtenAt = 3 * mebibyte;

/** Two disks go into a guest, are proved to be there, are written to, and come back. */
export async function tellStory(narrator: Narrator): Promise<void> {
  const lab = new Lab();
  let pid = 0;
  try {
    const disks: Disk[] = [
      { image: lab.image('raw.img', 64 * mebibyte), format: 'raw', driver: 'virtio-blk', megabytes: 64 },
      { image: lab.path('disk.qcow2'), format: 'qcow2', driver: 'virtio-scsi', megabytes: 128 },
    ];
    await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', lab.path('disk.qcow2'), '128M']);
    await narrator.stage('boot', () => command(narrator, lab, 'sandbox', 'run', 'vm1'));
    pid = lab.sandbox('vm1').pid;

    const plugged: Plugged[] = [];
    for (const disk of disks) plugged.push(await attachOne(narrator, lab, disk));
    narrator.fact(
      'disks',
      plugged.map(({ facts }) => facts),
    );
    await lookFromInside(narrator, lab, plugged);
    for (const { disk, device } of plugged) await writeInside(narrator, lab, disk, device);
    await list(narrator, lab, plugged);
    for (const one of plugged) await detachOne(narrator, lab, one);
    const left = await lab.disks('vm1');
    narrator.check("the guest's list is empty again", left.length === 0, `${left.length} disks`);
    for (const { disk, device } of plugged) await findOnHost(narrator, disk, device);
    await command(narrator, lab, 'sandbox', 'stop', 'vm1');
    const none = await lab.ok<{ sandboxes: unknown[] }>('sandbox', 'ls');
    narrator.check(
      'no sandbox and no socket is left',
      none.sandboxes.length === 0 && noSockets(lab),
      lab.stateDir,
    );
  } finally {
    const identity = processIdentity(pid);
    await lab[Symbol.asyncDispose]();
    const ended = identity === undefined || !isAlive(identity);
    narrator.check('no process is left', pid > 0 && ended, `QEMU was process ${pid}`);
    narrator.check('no image and no state is left', !existsSync(lab.directory), lab.directory);
  }
}

/** Runs a command of vmplug, showing it as a user would type it. */
async function command<T = Record<string, unknown>>(
  narrator: Narrator,
  lab: Lab,
  ...args: string[]
): Promise<T> {
  narrator.say('');
  narrator.say(
    `$ vmplug ${args.map((arg) => (arg.startsWith(lab.directory) ? basename(arg) : arg)).join(' ')}`,
  );
  return lab.ok<T>(...args);
}

async function attachOne(narrator: Narrator, lab: Lab, disk: Disk): Promise<Plugged> {
  const device = await narrator.stage(`attach ${disk.driver}`, () =>
    command<Device>(narrator, lab, 'attach', 'vm1', disk.image, '--driver', disk.driver),
  );
  narrator.check(
    `the guest's driver runs the ${disk.format} image as a ${disk.driver} disk`,
    device.state === 'attached' && device.evidence === 'live',
    `${device.id}, ${device.evidence ?? 'no evidence'}`,
  );
  showTimeline(narrator, device);
  const { id, serial, evidence, guest, timeline } = device;
  const { format, driver } = disk;
  return { disk, device, facts: { id, format, driver, serial, evidence, guest, attach: timeline } };
}

async function lookFromInside(narrator: Narrator, lab: Lab, plugged: readonly Plugged[]): Promise<void> {
  const seen = await lab.disks('vm1');
  narrator.say('');
  narrator.say('$ vmplug sandbox exec vm1 -- disks        # the guest tells itself');
  for (const { disk, device, facts } of plugged) {
    const own = seen.find(({ serial }) => serial === device.serial);
    narrator.check(
      `inside the guest: ${disk.format} image`,
      own?.size === disk.megabytes * mebibyte && own.path === device.guest.byId,
      own === undefined ? 'not found by its serial' : guestView(own),
    );
    facts['guestView'] = own ?? null;
  }
}

function guestView({ name, size, serial, path }: GuestDisk): string {
  return `/dev/${name}, ${size} bytes, serial ${serial}, ${path}`;
}

async function writeInside(narrator: Narrator, lab: Lab, disk: Disk, device: Device): Promise<void> {
  const { exitCode } = await lab.guest(
    'vm1',
    `printf '%s' '${message(device)}' | dd of=${device.guest.byId} bs=512 seek=${writtenAt / 512} conv=sync 2>/dev/null && sync`,
  );
  narrator.check(
    `the guest writes to ${device.guest.byId}`,
    exitCode === 0,
    `${disk.format}, at ${writtenAt}`,
  );
}

function message(device: Device): string {
  return `written inside the guest to ${device.serial}`;
}

async function list(narrator: Narrator, lab: Lab, plugged: readonly { device: Device }[]): Promise<void> {
  const { devices } = await command<{ devices: Device[] }>(narrator, lab, 'ls', 'vm1');
  const { stdout } = await lab.vmplug('ls', 'vm1');
  narrator.say(stdout.trimEnd().replaceAll(lab.directory, '.'));
  narrator.check(
    'ls lists both',
    plugged.every(({ device }) => devices.some(({ id }) => id === device.id)) &&
      devices.length === plugged.length,
    `${devices.length} devices`,
  );
}

async function detachOne(narrator: Narrator, lab: Lab, { disk, device, facts }: Plugged): Promise<void> {
  const gone = await narrator.stage(`detach ${disk.driver}`, () =>
    command<Device>(narrator, lab, 'detach', 'vm1', device.id),
  );
  narrator.check(`the VM has let go of the ${disk.format} image`, gone.state === 'released', gone.state);
  showTimeline(narrator, gone);
  facts['detach'] = gone.timeline;
}

function showTimeline(narrator: Narrator, { timeline }: Device): void {
  narrator.say(
    `    ${Object.entries(timeline)
      .map(([stage, milliseconds]) => `${stage} ${milliseconds.toFixed(1)}`)
      .join(' → ')} ms`,
  );
}

/** The image on the host has what the guest wrote, at the place where it wrote it. */
async function findOnHost(narrator: Narrator, disk: Disk, device: Device): Promise<void> {
  const raw = disk.format === 'raw' ? disk.image : `${disk.image}.raw`;
  if (disk.format === 'qcow2') {
    await runProgram('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', disk.image, raw]);
  }
  const wanted = message(device);
  const found = readFileSync(raw)
    .subarray(writtenAt, writtenAt + wanted.length)
    .toString('utf8');
  narrator.check(
    `on the host, the ${disk.format} image has the bytes`,
    found === wanted,
    JSON.stringify(found),
  );
}

function noSockets(lab: Lab): boolean {
  const directory = `${lab.stateDir}/sandboxes`;
  return !existsSync(directory) || readdirSync(directory).length === 0;
}
