import { afterAll, beforeAll, expect, test } from 'vitest';
import { startScriptedPeer } from './back-ends/scripted-peer.testing.ts';
import type { BackEnd } from './back-ends/back-end.ts';
import { refusedStart } from './cold-plug.testing.ts';
import type { Refusal } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
let vm: ForeignQemu;
/** What it would say nobody gets to hear: the input is looked at first. */
let peer: BackEnd;

beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  vm = await startForeignQemu(lab.directory, ['-machine', 'q35', '-S'], { waits: false, sharedMemory: true });
  await lab.ok('sandbox', 'adopt', 'theirs', '--qmp', vm.qmp);
  peer = await startScriptedPeer(lab.directory, 'silent');
});
afterAll(async () => {
  await peer[Symbol.asyncDispose]();
  await vm[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** A source, with what else is said of it. */
type Input = readonly [source: string, option?: 'tag' | 'mac', value?: string];

const inputs: readonly [what: string, input: () => Input, code: Refusal['code']][] = [
  [
    'a tag that is too long',
    () => [`vhost-user-fs:${peer.socket}`, 'tag', 't'.repeat(37)],
    'invalid-argument',
  ],
  ['a tag that is empty', () => [`vhost-user-fs:${peer.socket}`, 'tag', ''], 'invalid-argument'],
  ['a folder without a tag', () => [`vhost-user-fs:${peer.socket}`], 'invalid-argument'],
  [
    'a MAC address that is none',
    () => [`vhost-user-net:${peer.socket}`, 'mac', '52:54:00'],
    'invalid-argument',
  ],
  ['a group’s MAC', () => [`vhost-user-net:${peer.socket}`, 'mac', '53:54:00:00:00:01'], 'invalid-argument'],
  ['a card without an address', () => [`vhost-user-net:${peer.socket}`], 'invalid-argument'],
  ['a socket that is not there', () => [`vhost-user-blk:${lab.path('none.sock')}`], 'source-not-found'],
  ['a file for a socket', () => [`vhost-user-blk:${lab.image('file')}`], 'source-unsuitable'],
  ['a memory image that is not there', () => [`pmem:${lab.path('none.img')}`], 'source-not-found'],
  ['a memory image of an odd size', () => [`pmem:${lab.image('odd.img', 4097)}`], 'pmem-size'],
  ['a function that is not there', () => ['vfio:0000:ff:1f.7'], 'pci-device-not-found'],
  [
    'a mediated device that is not there',
    () => ['mdev:00000000-0000-4000-8000-000000000001'],
    'pci-device-not-found',
  ],
];

test.each(inputs)('%s: the same error from a start as from an attach', async (_, input, code) => {
  const [source, option, value = ''] = input();
  const flags = option === undefined ? [] : [`--${option}`, value];
  const device = { source, ...(option === undefined ? {} : { [option]: value }) };
  const attached = await lab.vmplug('attach', 'theirs', source, ...flags, '--json');
  const { error } = attached.json<{ error: Refusal }>();
  const started = await refusedStart(lab, code, [device]);
  expect(error).toMatchObject({ code, subject: started.subject, reason: started.reason, hint: started.hint });
});

test('two devices of one start with one MAC address, in whatever letters', async () => {
  await using other = await startScriptedPeer(lab.directory, 'closes');
  const cards = [
    { source: `vhost-user-net:${peer.socket}`, mac: '52:54:00:aa:bb:cc' },
    { source: `vhost-user-net:${other.socket}`, mac: '52:54:00:AA:BB:CC' },
  ];
  const error = await refusedStart(lab, 'mac-in-use', cards);
  expect(error).toMatchObject({ subject: cards[1]?.source, hint: expect.not.stringContaining('detach') });
  expect(error.reason).toContain(cards[0]?.source);
});
