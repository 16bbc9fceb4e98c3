import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { backendNames, unitsOf } from '../../src/api/plan.ts';
import { serialOf } from '../../src/api/names.ts';
import { readListing } from '../../src/manager/listing.ts';
import { vmmHas } from '../errors.testing.ts';
import { Lab } from '../harness.ts';
import { startStoppingProxy, type PassingLine, type StoppingProxy } from './stopping-proxy.ts';

// The whole matrix is `src/manager/crash`, on the simulated QEMU. This is its sample on a real one, with a guest that
// is asked what it has.

/** A question changes nothing: only the first answer that there is to a question is a point of the sample. */
const question = /^(query-|x-query-|qom-|device-list-properties|qmp_capabilities|greeting)/;

let real: Lab;
let lab: Lab;
let proxy: StoppingProxy;
let points = 0;
beforeAll(async () => {
  real = new Lab();
  await real.run('vm1');
});
afterAll(() => real[Symbol.asyncDispose]());
beforeEach(async () => {
  lab = new Lab();
  proxy = await startStoppingProxy(lab.path('proxy'), real.sandbox('vm1').socket);
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', proxy.path);
});
afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

const patience = ['--timeout', '60s'];

/** Counts the lines that go by, and does something at one of them. */
function watching(at?: string, kill?: () => Promise<void>): { seen: Set<string>; made: string[] } {
  const counts = new Map<string, number>();
  const watched = { seen: new Set<string>(), made: Array.of<string>() };
  proxy.gate = ({ to, name, text }: PassingLine) => {
    const what = `${name} to ${to}`;
    const count = (counts.get(what) ?? 0) + 1;
    counts.set(what, count);
    if (to === 'QEMU' && /[-_]add$/.test(name)) watched.made.push(text.replace(/"id":\d+,?/, ''));
    if (question.test(name) && (to === 'QEMU' || count > 1)) return undefined;
    const point = `${what} ${count}`;
    watched.seen.add(point);
    return point === at ? kill?.().then(() => 'drop' as const) : undefined;
  };
  return watched;
}

/** Store, QEMU and guest agree; nothing of ours is without an owner. */
async function expectAgreement(): Promise<void> {
  const { attachments } = readListing(lab.stateDir);
  const { devices, nodes } = await vmmHas(real.sandbox('vm1').socket);
  const ours = (names: readonly string[]): string[] => names.filter((name) => name.startsWith('vmplug-'));
  expect(ours(devices)).toEqual(attachments.flatMap((each) => unitsOf(each).map(({ vmmId }) => vmmId)));
  const tops = ours(nodes).filter((name) => !name.endsWith('-f'));
  expect(tops).toEqual(attachments.flatMap(({ plan }) => backendNames(plan)));
  const serials = async (): Promise<string[]> => (await real.disks('vm1')).map(({ serial }) => serial);
  await expect.poll(serials, { timeout: 60_000 }).toEqual(attachments.map(({ id }) => serialOf(id)));
}

const ways = ['virtio-blk', 'virtio-scsi'].flatMap((driver) => [
  [driver, 'attach'] as const,
  [driver, 'detach'] as const,
]);
test.each(ways)(
  '%s: killed with SIGKILL in %s, at each message that changes something',
  async (driver, action) => {
    const image = lab.image('disk.img');
    const args = {
      attach: ['attach', 'vm', image, '--driver', driver, ...patience],
      detach: ['detach', 'vm', image, ...patience],
    };
    const isThere = (): boolean => readListing(lab.stateDir).attachments.length > 0;
    const prepare = async (): Promise<void> => {
      if (action === 'attach' && isThere()) await lab.ok(...args.detach);
      if (action === 'detach' && !isThere()) await lab.ok(...args.attach);
    };
    await prepare();
    const walked = watching();
    await lab.ok(...args[action]);
    const made = [...walked.made];
    for (const point of walked.seen) {
      watching();
      await prepare();
      const command = lab.start(...args[action]);
      const watched = watching(point, async () => {
        command.kill();
        await command.ended;
      });
      expect(await command.ended, point).toMatchObject({ code: -2 });
      made.push(...watched.made);
      made.push(...(await recover(args[action])));
      points += 1;
    }
    expect(made, 'commands that make something').toEqual([...new Set(made)]);
    if (isThere()) await lab.ok(...args.detach);
    await expectAgreement();
  },
);

/** vmplug is started again: doctor, and the same command once more. Returns what that made in QEMU. */
async function recover(command: readonly string[]): Promise<string[]> {
  const watched = watching();
  await lab.vmplug('doctor', '--repair');
  await expectAgreement();
  const again = await lab.vmplug(...command, '--json');
  expect(again.code === 0 || /already-attached|device-not-found/.test(again.stdout), again.stdout).toBe(true);
  expect(await lab.ok('doctor')).toMatchObject({ ok: true });
  await expectAgreement();
  return watched.made;
}

afterAll(() => {
  process.stdout.write(`killed at ${points} points on a real guest\n`);
  expect(points).toBeGreaterThanOrEqual(20);
});
