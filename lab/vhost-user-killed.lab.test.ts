import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readListing } from '../src/manager/listing.ts';
import { chardevs } from './back-ends/lost.testing.ts';
import { inGuest, serveCard, type Device } from './back-ends/served.testing.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

// QEMU 7.2 aborts when the network of a card is taken before the card: after whatever was left half done.

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  await lab.run('vm1', '--shared-memory', '--ports', '2');
});
afterAll(() => lab[Symbol.asyncDispose]());

const patience = ['--timeout', '60s'];

/** Runs `vmplug` until its attachment is in a state, and ends it there, or wherever it is by then. */
async function killedAt(state: string, ...args: string[]): Promise<void> {
  const command = lab.start(...args);
  const over = new AbortController();
  void command.ended.then(() => over.abort());
  const isThere = (): boolean =>
    readListing(lab.stateDir, 'vm1').attachments.some((attachment) => attachment.state === state);
  while (!isThere() && !over.signal.aborted) await sleep(1);
  command.kill();
  await command.ended;
}

/** Settles what was left, takes out what is there, and sees that VM and guest live on with nothing of it. */
async function nothingStays(): Promise<void> {
  await lab.vmplug('doctor', '--repair');
  const { devices } = await lab.ok<{ devices: Device[] }>('ls', 'vm1');
  for (const { id } of devices) await lab.vmplug('detach', 'vm1', id, ...patience);
  expect(await lab.ok('ls', 'vm1')).toMatchObject({ devices: [] });
  expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  expect(await chardevs(lab, 'vm1')).toEqual([]);
  expect(await inGuest(lab, 'vm1', 'ls /sys/class/net')).toBe('lo\n');
}

test('vmplug is killed while it attaches and detaches a card: it is settled, and QEMU lives on', async () => {
  await using card = await serveCard(lab, 'card', '52:54:00:aa:00:01');
  await killedAt('attaching', 'attach', 'vm1', ...card.attach);
  await nothingStays();

  await lab.ok('attach', 'vm1', ...card.attach, ...patience);
  await killedAt('detaching', 'detach', 'vm1', card.attach[0]);
  await nothingStays();
});

test('a card that is in no record stays; when it is to be released it leaves first, and its network is taken after it', async () => {
  await using card = await serveCard(lab, 'orphan', '52:54:00:aa:00:01');
  const device = await lab.ok<Device>('attach', 'vm1', ...card.attach, ...patience);
  await card.use('vm1', device);

  await using other = new Lab();
  await other.ok('sandbox', 'adopt', 'same', '--qmp', lab.sandbox('vm1').socket);
  const orphan = { findings: [{ problem: 'orphan-device', device: device.vmmId, repaired: false }] };
  for (const _ of [1, 2]) {
    expect((await other.vmplug('doctor', '--repair', '--json')).json()).toMatchObject(orphan);
  }
  await card.use('vm1', device);
  const command = ['doctor', '--release', `same/${device.vmmId}`, '--json'];
  expect((await other.vmplug(...command)).json()).toMatchObject({ error: { code: 'invalid-argument' } });
  expect((await other.vmplug(...command, '--repair')).json()).toMatchObject(orphan);
  const isThere = async (): Promise<boolean> => {
    const { findings } = (await other.vmplug('doctor', '--json')).json<{ findings: { problem: string }[] }>();
    return findings.some(({ problem }) => problem === 'orphan-device');
  };
  await expect.poll(isThere, { timeout: 60_000 }).toBe(false);
  expect(await chardevs(lab, 'vm1')).toEqual([device.vmmId]);
  const released = await other.vmplug('doctor', '--repair', '--json');
  expect(released.json()).toMatchObject({ findings: [{ problem: 'orphan-backend', repaired: true }] });
  expect(await other.ok('doctor')).toMatchObject({ ok: true, findings: [] });

  // The records that still have it follow what the VM has.
  await nothingStays();
});
