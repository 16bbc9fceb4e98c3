import { VmplugError } from '../src/api/errors.ts';
import { startLabGuest } from './foreign-qemu.ts';
import { guardedDirectory, releaseDirectory } from './guard/guard.ts';
import { removeLeftovers } from './guard/leftovers.ts';
import { ensureGuestImage, findGuestImage } from './guest/index.ts';
import { labGuest, labGuests, type LabGuest } from './guests.ts';
import { ensureQemu10, findQemu10 } from './setup/qemu10.ts';
import { ensurePackages, labPackages } from './setup/packages.ts';
import { shell } from './shell.ts';

/** `npm run lab -- ls | start NAME [QEMU ARGUMENTS…] | shell NAME [QEMU ARGUMENTS…]` */
const usage = `npm run lab -- ls                    the machines of the lab, and whether they are in the cache
npm run lab -- start NAME [ARGS…]    starts one, with more arguments of QEMU, until Ctrl-C
npm run lab -- shell NAME [ARGS…]    the same, with a shell in its guest; commands may come from a pipe`;

const [verb, name, ...args] = process.argv.slice(2);
try {
  if (verb === 'ls' && name === undefined) await list();
  else if (verb === 'start' && name !== undefined) await run(name, args, wait);
  else if (verb === 'shell' && name !== undefined)
    process.exitCode = await run(name, args, (vm) => shell(vm.exec));
  else {
    console.error(usage);
    process.exitCode = 2;
  }
} catch (error) {
  if (!(error instanceof VmplugError)) throw error;
  console.error(`${error.message}${error.hint === undefined ? '' : `\n  → ${error.hint}`}`);
  process.exitCode = 1;
}

async function list(): Promise<void> {
  const rows = await Promise.all(
    [...labGuests].map(async ([guestName, guest]) => [
      guestName,
      guest.qemu === '10' ? 'QEMU 10' : 'system',
      (await isCached(guest)) ? 'cached' : 'not yet',
      guest.what,
    ]),
  );
  const width = (column: number): number => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  for (const row of rows) {
    console.log(row.map((cell, column) => (column === 3 ? cell : cell.padEnd(width(column)))).join('  '));
  }
}

async function isCached({ image, qemu }: LabGuest): Promise<boolean> {
  if ((await findGuestImage(image)) === undefined) return false;
  return qemu === 'system' || (await findQemu10()) !== undefined;
}

interface Vm {
  readonly qmp: string;
  readonly exec: string;
  readonly console: string;
  readonly pid: number;
  readonly ended: Promise<void>;
}

/** Starts a machine, in a directory of which nothing is left, and uses it. */
async function run<T>(guestName: string, more: readonly string[], use: (vm: Vm) => Promise<T>): Promise<T> {
  const guest = labGuest(guestName);
  const onProgress = (text: string): void => void process.stderr.write(text);
  await ensurePackages(labPackages, { onProgress });
  await ensureGuestImage({ ...guest.image, onProgress });
  if (guest.qemu === '10') await ensureQemu10({ onProgress });
  const directory = guardedDirectory('vmplug-lab-');
  try {
    console.error(`starting ${guestName}: ${guest.what}`);
    await using vm = await startLabGuest(directory, guestName, more);
    return await use(vm);
  } finally {
    await removeLeftovers(directory);
    releaseDirectory(directory);
  }
}

async function wait({ qmp, console: output, pid, ended }: Vm): Promise<void> {
  console.log(`QMP      ${qmp}`);
  console.log(`console  ${output}`);
  console.log(`process  ${pid}`);
  console.log(`\nvmplug sandbox adopt NAME --qmp ${qmp}`);
  console.log('It ends with Ctrl-C.');
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  await Promise.race([promise, ended]);
}
