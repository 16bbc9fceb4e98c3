import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startScriptedPeer } from './back-ends/scripted-peer.testing.ts';
import { serveDisk } from './back-ends/served.testing.ts';
import { qemuFlags, refusedStart, runWith } from './cold-plug.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';
import { ensureQemu10 } from './setup/qemu10.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  await ensureQemu10();
});
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const options: Readonly<Record<string, object>> = {
  'vhost-user-blk': {},
  'vhost-user-scsi': {},
  'vhost-user-fs': { tag: 'shared' },
  'vhost-user-net': { mac: '52:54:00:12:34:56' },
};
const kinds = Object.keys(options);

const deviceOn = (kind: string, socket: string): object & { source: string } => ({
  source: `${kind}:${socket}`,
  ...options[kind],
});

const untouched = /no VM was started, and nothing was left behind$/i;

describe.each(kinds)('%s', (kind) => {
  test.each([
    ['closes', 'not-vhost-user'],
    ['garbage', 'not-vhost-user'],
    ['silent', 'backend-silent'],
  ] as const)(
    'a start with a peer of the manner %s is refused, and nothing is left',
    async (manner, code) => {
      await using peer = await startScriptedPeer(lab.directory, manner);
      const device = deviceOn(kind, peer.socket);
      const error = await refusedStart(lab, code, [device], '--timeout', '8s');
      expect(error).toMatchObject({ subject: device.source, hint: expect.stringMatching(untouched) });
      if (code === 'backend-silent') expect(error).toMatchObject({ facts: { pid: peer.pid } });
    },
  );

  test('a start with a socket that nobody serves, an HTTP server, a QMP socket', async () => {
    const nobody = await startScriptedPeer(lab.directory, 'silent');
    process.kill(nobody.pid, 'SIGKILL');
    await nobody.ended;
    await refusedStart(lab, 'socket-not-served', [deviceOn(kind, nobody.socket)]);

    const web = createServer().listen(lab.path('web.sock'));
    await once(web, 'listening');
    try {
      await refusedStart(lab, 'not-vhost-user', [deviceOn(kind, lab.path('web.sock'))]);
    } finally {
      web.close();
    }

    await using vm = await startForeignQemu(lab.directory, ['-S'], { waits: false });
    await refusedStart(lab, 'not-vhost-user', [deviceOn(kind, vm.qmp)]);
  });
});

describe.each(['7.2', '10'] as const)('QEMU %s', (version) => {
  test.each(kinds.filter((kind) => kind !== 'vhost-user-net'))(
    '%s, a peer that answers the check and hangs up on QEMU at its start does not speak vhost-user',
    async (kind) => {
      await using peer = await startScriptedPeer(lab.directory, 'closes-later');
      const device = deviceOn(kind, peer.socket);
      const error = await refusedStart(lab, 'not-vhost-user', [device], ...(await qemuFlags(version)));
      expect(error).toMatchObject({ subject: device.source, hint: expect.stringMatching(untouched) });
    },
  );

  test.each([
    ['vhost-user-blk', 'silent-later'],
    ['vhost-user-scsi', 'silent-later'],
    ['vhost-user-fs', 'silent-later'],
    ['vhost-user-net', 'silent-later'],
    // QEMU connects to such a peer again and again.
    ['vhost-user-net', 'closes-later'],
  ] as const)(
    '%s, a peer of the manner %s: the start ends at its deadline and names it, and nothing is left',
    async (kind, manner) => {
      await using peer = await startScriptedPeer(lab.directory, manner);
      const device = deviceOn(kind, peer.socket);
      const flags = ['--timeout', '8s', ...(await qemuFlags(version))];
      const error = await refusedStart(lab, 'backend-silent', [device], ...flags);
      expect(error).toMatchObject({
        ...{ subject: device.source, facts: { pid: peer.pid } },
        reason: expect.stringContaining(`process ${peer.pid}`),
      });
    },
  );
});

test('a start that was refused for one device goes with the others alone', async () => {
  await using disk = await serveDisk(lab, 'disk');
  await using peer = await startScriptedPeer(lab.directory, 'garbage');
  const [source] = disk.attach;
  const bad = deviceOn('vhost-user-net', peer.socket);
  const error = await refusedStart(lab, 'not-vhost-user', [source, bad]);
  expect(error.subject).toBe(bad.source);
  const { devices } = await runWith(lab, 'vm1', [source]);
  expect(devices).toMatchObject([{ source, state: 'attached', evidence: 'live' }]);
});
