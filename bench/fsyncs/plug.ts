import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RealClock } from '../../src/hypervisors/simulated/qemu/clock.ts';
import { startSimulatedQemu } from '../../src/hypervisors/simulated/qemu/start.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';

/**
 * A process that attaches disks to a simulated VM and detaches them: `plug.ts DIRECTORY ATTACHES DETACHES
 * sequential|concurrent`. Prints the milliseconds of all attaches and of all detaches as JSON.
 */
const [directory = '', attaches = '0', detaches = '0', order = 'sequential'] = process.argv.slice(2);
const limits = { timeoutMs: 60_000 };
const ports = Math.max(1, Number(attaches));

await using qemu = await startSimulatedQemu({
  clock: new RealClock(),
  guest: { takesMs: 1, answersMs: 1 },
  ports,
});
await using vmplug = Vmplug.open({ stateDir: join(directory, 'state') });
await vmplug.adopt('vm', qemu.socket, limits);

async function all<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  if (order === 'concurrent') return Promise.all(items.map(work));
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

const images = Array.from({ length: Number(attaches) }, (_, index) => {
  const path = join(directory, `disk${index}`);
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
});
const started = performance.now();
const attached = await all(images, (path) => vmplug.attach('vm', path, limits));
const between = performance.now();
await all(attached.slice(0, Number(detaches)), ({ id }) => vmplug.detach('vm', id, limits));
const ended = performance.now();
process.stdout.write(JSON.stringify({ attachMs: between - started, detachMs: ended - between }));
