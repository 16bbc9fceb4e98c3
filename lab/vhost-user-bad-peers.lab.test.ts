import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readListing } from '../src/manager/listing.ts';
import { startScriptedPeer } from './back-ends/scripted-peer.testing.ts';
import { changesNothing, refused, rootPort, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

let lab: Lab;
let vm: ForeignQemu;

beforeEach(async () => {
  lab = new Lab();
  // Without a guest: what is looked at is between QEMU and the peer.
  vm = await startForeignQemu(lab.directory, ['-machine', 'q35', '-S', ...rootPort('port0', 2)], {
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

describe.each(['vhost-user-blk', 'vhost-user-scsi', 'vhost-user-fs'])('%s', (kind) => {
  test.each(['closes', 'garbage'] as const)(
    'a peer of the manner %s does not speak vhost-user',
    async (manner) => {
      await using peer = await startScriptedPeer(lab.directory, manner);
      const before = await everything();
      await changesNothing(lab, ['vm'], async () => {
        await refused(lab, 'not-vhost-user', ...attach(kind, peer.socket));
      });
      expect(await everything()).toEqual(before);
    },
  );
});

test.each([
  ['vhost-user-blk', 'silent'],
  ['vhost-user-scsi', 'silent'],
  ['vhost-user-fs', 'silent'],
  ['vhost-user-net', 'silent'],
  // QEMU connects to such a peer again and again, and does nothing else meanwhile.
  ['vhost-user-net', 'closes'],
  ['vhost-user-net', 'garbage'],
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
