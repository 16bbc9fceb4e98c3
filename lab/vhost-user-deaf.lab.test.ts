import { statSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { SqliteStore } from '../src/store/sqlite-store.ts';
import { startDeafResponder } from './back-ends/deaf-responder.ts';
import { inGuest, serveDisk, type Device } from './back-ends/served.testing.ts';
import { refused } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => void (await ensurePackages(qemuPackages)));
beforeEach(async () => {
  lab = new Lab();
  await lab.run('vm1', '--shared-memory', '--ports', '2');
});
afterEach(() => lab[Symbol.asyncDispose]());

/** Sees that a guest keeps a device in spite of `detach`, and that it stays ours until the VM is stopped. */
async function keptUntilStopped(device: Device, claim: string): Promise<void> {
  const given = await refused(lab, 'deadline-passed', 'detach', 'vm1', device.id, '--timeout', '2s');
  expect(given.facts).toMatchObject({ requested: true, backend: 'lost' });
  const { devices } = await lab.ok<{ devices: Device[] }>('ls', 'vm1');
  expect(devices).toMatchObject([{ id: device.id, state: 'detaching' }]);
  expect(holders(claim)).toEqual([device.id]);
  await inGuest(lab, 'vm1', 'true');

  await lab.ok('sandbox', 'stop', 'vm1');
  expect(holders(claim)).toEqual([]);
  expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
}

/** What a device that is served on a socket claims. */
function claimOn(socket: string): string {
  const { dev, ino } = statSync(socket, { bigint: true });
  return `socket:${dev}:${ino}`;
}

function holders(claim: string): string[] {
  using store = SqliteStore.open(lab.stateDir);
  return store.read((tx) => tx.holders(claim)).map(({ device }) => device);
}

test('a back end that answers all but its queues: the guest waits for it, and does so when it has ended', async () => {
  await using responder = await startDeafResponder(lab.path('deaf.sock'));
  const source = `vhost-user-scsi:${responder.socket}`;
  const claim = claimOn(responder.socket);
  const device = await lab.ok<Device>('attach', 'vm1', source);
  expect(responder.connections()).toBe(1);
  await refused(lab, 'already-attached', 'attach', 'vm1', source);
  await refused(lab, 'deadline-passed', 'detach', 'vm1', device.id, '--timeout', '2s');
  await responder.end();
  await keptUntilStopped(device, claim);
});

test('a back end that dies with a request in flight: the guest never lets go', async () => {
  await using disk = await serveDisk(lab, 'busy');
  const device = await lab.ok<Device>('attach', 'vm1', ...disk.attach);
  await disk.use('vm1', device);
  const block = `/sys/bus/pci/devices/${device.guest.pci}/virtio*/block/*`;
  process.kill(disk.backEnd.pid, 'SIGSTOP');
  await inGuest(
    lab,
    'vm1',
    `set -- ${block}; (dd if=/dev/\${1##*/} of=/dev/null bs=4096 count=1 skip=100 &) >/dev/null 2>&1
    until grep -q '[1-9]' $1/inflight; do usleep 20000; done`,
  );
  const claim = claimOn(disk.backEnd.socket);
  await disk.backEnd.kill();
  await keptUntilStopped(device, claim);
});
