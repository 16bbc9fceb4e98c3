import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { QmpConnection } from '../src/hypervisors/qemu/index.ts';
import { readListing } from '../src/manager/listing.ts';
import { startScriptedPeer } from './back-ends/scripted-peer.testing.ts';
import { changesNothing, refusalOf, refused, rootPort, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

let lab: Lab;
let vm: ForeignQemu;

beforeEach(async () => {
  lab = new Lab();
  // Without a guest: what is looked at is between QEMU and the peer.
  const second = ['-qmp', `unix:${secondMonitor()},server=on,wait=off`];
  vm = await startForeignQemu(lab.directory, ['-machine', 'q35', '-S', ...rootPort('port0', 2), ...second], {
    waits: false,
    sharedMemory: true,
    // Of a network card whose peer misbehaves QEMU prints thousands of lines a second.
    stderr: 'ignore',
  });
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', vm.qmp);
});
afterEach(async () => {
  await vm[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** vmplug has the first one while it attaches. */
const secondMonitor = (): string => lab.path('second.qmp');
const patience = { timeoutMs: 60_000 };

const flags: Readonly<Record<string, readonly string[]>> = {
  'vhost-user-blk': [],
  'vhost-user-scsi': [],
  'vhost-user-fs': ['--tag', 'shared'],
  'vhost-user-net': ['--mac', '52:54:00:12:34:56'],
};

function attach(kind: string, socket: string, ...more: string[]): string[] {
  return ['attach', 'vm', `${kind}:${socket}`, ...(flags[kind] ?? []), '--wait', 'acknowledged', ...more];
}

/** Everything that an attach could have left in the VM and in the records. */
async function everything(): Promise<unknown> {
  const chardevs = await tellVmm(vm.qmp, ['query-chardev']);
  const { attachments } = readListing(lab.stateDir);
  return { attachments, chardevs, has: await vmmHas(vm.qmp) };
}

/** Asks the VM whether it runs, again and again, while `work` is done: a VM that stands still never answers. */
async function answersAllTheWhile<T>(work: () => Promise<T>): Promise<T> {
  await using monitor = await QmpConnection.connect(secondMonitor(), patience);
  const over = new AbortController();
  const asking = (async () => {
    do {
      expect(await monitor.execute('query-status', {}, patience)).toMatchObject({ running: false });
      await sleep(20);
    } while (!over.signal.aborted);
  })();
  const [done] = await Promise.all([work().finally(() => over.abort()), asking]);
  return done;
}

describe.each(Object.keys(flags))('%s', (kind) => {
  test.each([
    ['closes', 'not-vhost-user'],
    ['garbage', 'not-vhost-user'],
    ['silent', 'backend-silent'],
  ] as const)(
    'a peer of the manner %s is refused, nothing is changed, and the VM answers all the while',
    async (manner, code) => {
      await using peer = await startScriptedPeer(lab.directory, manner);
      const before = await everything();
      await changesNothing(lab, ['vm'], async () => {
        const error = await answersAllTheWhile(() =>
          refused(lab, code, ...attach(kind, peer.socket, '--timeout', '3s')),
        );
        if (code === 'backend-silent') expect(error).toMatchObject({ facts: { pid: peer.pid } });
      });
      expect(await everything()).toEqual(before);
      expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
    },
  );
});

test('ctrl-C while a silent peer is asked ends it at once, and nothing is changed', async () => {
  await using peer = await startScriptedPeer(lab.directory, 'silent');
  const before = await everything();
  const waiting = lab.start(...attach('vhost-user-blk', peer.socket, '--timeout', '10m', '--json'));
  try {
    await expect.poll(() => readListing(lab.stateDir).attachments.length, { timeout: 20_000 }).toBe(1);
    const interrupted = performance.now();
    waiting.kill('SIGINT');
    const error = refusalOf(await waiting.ended, 'aborted');
    expect(performance.now() - interrupted).toBeLessThan(10_000);
    expect(error.hint).toContain('othing was changed');
  } finally {
    waiting.kill();
    await waiting.ended;
  }
  expect(await everything()).toEqual(before);
  expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
});

test.each(Object.keys(flags).filter((kind) => kind !== 'vhost-user-net'))(
  '%s, a peer that answers the check and hangs up on QEMU does not speak vhost-user',
  async (kind) => {
    await using peer = await startScriptedPeer(lab.directory, 'closes-later');
    const before = await everything();
    await changesNothing(lab, ['vm'], async () => {
      await refused(lab, 'not-vhost-user', ...attach(kind, peer.socket));
    });
    expect(await everything()).toEqual(before);
  },
);

test.each([
  ['vhost-user-blk', 'silent-later'],
  ['vhost-user-scsi', 'silent-later'],
  ['vhost-user-fs', 'silent-later'],
  ['vhost-user-net', 'silent-later'],
  // QEMU connects to such a peer again and again, and does nothing else meanwhile.
  ['vhost-user-net', 'closes-later'],
] as const)(
  '%s, a peer of the manner %s: it is named, and when it has ended the next command undoes everything',
  async (kind, manner) => {
    await using peer = await startScriptedPeer(lab.directory, manner);
    const before = await everything();
    const named = { facts: { pid: peer.pid }, hint: expect.stringContaining(`kill ${peer.pid}`) };
    const error = await refused(lab, 'backend-silent', ...attach(kind, peer.socket, '--timeout', '3s'));
    expect(error).toMatchObject(named);
    // Nobody gets through to the VM meanwhile, and everybody is told why.
    const inspected = await lab.ok('sandbox', 'inspect', 'vm', '--timeout', '2s');
    expect(inspected).toMatchObject({ problem: { code: 'backend-silent', ...named } });
    await peer.kill();
    expect(await lab.ok('sandbox', 'inspect', 'vm', '--timeout', '60s')).toMatchObject({ problem: null });
    expect(await everything()).toEqual(before);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  },
);
