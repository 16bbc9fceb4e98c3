import { describe, expect, test } from 'vitest';
import type { HostVhostUser } from '../api/host-device.ts';
import { backendNames, handsOver, releaseCommands } from '../api/plan.ts';
import { attachOf, having, name, port, qemu, served, without } from './plan-request.testing.ts';
import { vhostUser } from './vhost-user.ts';

const drivers = {
  'vhost-user-blk': 'vhost-user-blk-pci',
  'vhost-user-scsi': 'vhost-user-scsi-pci',
  'vhost-user-net': 'virtio-net-pci',
  'vhost-user-fs': 'vhost-user-fs-pci',
} as const;
const kinds = ['vhost-user-blk', 'vhost-user-scsi', 'vhost-user-net', 'vhost-user-fs'] as const;
const requestOf = (host: HostVhostUser, facts = qemu) =>
  attachOf(host, drivers[host.kind], [port(0)], { facts });
const deviceOf = (host: HostVhostUser, facts = qemu) =>
  vhostUser.plan(requestOf(host, facts)).steps.at(-1)?.run.arguments;
const checkOf = (host: HostVhostUser, facts = qemu) => vhostUser.check(requestOf(host), facts);

const at = { bus: 'port0', addr: '00', id: name };
const connect = {
  summary: 'connect to the socket, without a check of the program behind it',
  run: {
    execute: 'chardev-add',
    arguments: {
      id: name,
      backend: {
        type: 'socket',
        data: { addr: { type: 'unix', data: { path: '/run/back-end.sock' } }, server: false },
      },
    },
  },
  undo: { execute: 'chardev-remove', arguments: { id: name } },
};
const plug = (args: object) => ({
  summary: 'plug the device',
  run: { execute: 'device_add', arguments: args },
  undo: { execute: 'device_del', arguments: { id: name } },
  undoIsRequest: true,
});

describe('every word that goes out, and what takes it back', () => {
  test('7.5 QEMU kinds: vhost-user-blk is accepted', () => {
    checkOf(served('vhost-user-blk'));
    expect(vhostUser.plan(requestOf(served('vhost-user-blk')))).toEqual({
      vmmId: name,
      steps: [connect, plug({ driver: 'vhost-user-blk-pci', ...at, chardev: name })],
    });
  });

  test('W04: vhost-user-scsi is a controller behind its socket, not a disk whose file is a socket', () => {
    expect(vhostUser.plan(requestOf(served('vhost-user-scsi')))).toEqual({
      vmmId: name,
      steps: [connect, plug({ driver: 'vhost-user-scsi-pci', ...at, chardev: name })],
    });
  });

  test('a network card', () => {
    expect(vhostUser.plan(requestOf(served('vhost-user-net')))).toEqual({
      vmmId: name,
      steps: [
        connect,
        {
          summary: 'make a network of it',
          run: {
            execute: 'netdev_add',
            arguments: { type: 'vhost-user', id: `${name}-n`, chardev: name },
          },
          undo: { execute: 'netdev_del', arguments: { id: `${name}-n` } },
        },
        plug({ driver: 'virtio-net-pci', ...at, netdev: `${name}-n`, mac: '52:54:00:aa:00:01' }),
      ],
    });
  });

  test('a shared file system', () => {
    expect(vhostUser.plan(requestOf(served('vhost-user-fs')))).toEqual({
      vmmId: name,
      steps: [
        connect,
        plug({ driver: 'vhost-user-fs-pci', ...at, chardev: name, tag: 'data', 'queue-size': 1024 }),
      ],
    });
  });
});

describe('the program behind the socket is checked before the VMM gets to it', () => {
  const checked = (kind: HostVhostUser['kind'], ...peerChecks: ('leave' | 'hand-over')[]) =>
    vhostUser.plan({ ...requestOf(served(kind)), peerChecks });
  const peer = { connectTo: '/run/back-end.sock', protocol: 'vhost-user' };
  const handOver = {
    summary: 'check the program behind the socket and hand the connection over',
    run: {
      execute: 'getfd',
      arguments: { fdname: name },
      peer: { ...peer, afterwards: 'hand-over' },
    },
    undo: { execute: 'closefd', arguments: { fdname: name } },
  };

  test.each(['vhost-user-blk', 'vhost-user-scsi', 'vhost-user-fs'] as const)(
    '%s is given the very connection that was checked: many a program serves one client only',
    (kind) => {
      const plan = checked(kind, 'leave', 'hand-over');
      expect(plan.steps.slice(0, -1)).toEqual([
        handOver,
        {
          ...connect,
          summary: 'use the connection',
          run: {
            execute: 'chardev-add',
            arguments: {
              id: name,
              backend: { type: 'socket', data: { addr: { type: 'fd', data: { str: name } }, server: false } },
            },
          },
        },
      ]);
      expect(handsOver(plan)).toBe(true);
      expect(backendNames(plan)).toEqual([name]);
      expect(checked(kind, 'leave').steps[0]).toEqual(connect);
    },
  );

  test('a network takes no connection that was made elsewhere, so the one that was checked is left', () => {
    const plan = checked('vhost-user-net', 'leave', 'hand-over');
    expect(plan.steps[0]).toEqual({
      ...connect,
      summary: 'check the program behind the socket, then connect to it',
      run: { ...connect.run, peer: { ...peer, afterwards: 'leave' } },
    });
    expect(handsOver(plan)).toBe(false);
    expect(checked('vhost-user-net', 'hand-over').steps[0]).toEqual(connect);
  });
});

test('the network goes before the connection that it is made of', () => {
  expect(releaseCommands(vhostUser.plan(requestOf(served('vhost-user-net'))))).toEqual([
    { execute: 'netdev_del', arguments: { id: `${name}-n` } },
    { execute: 'chardev-remove', arguments: { id: name } },
  ]);
});

test('a network card goes without MSI-X only where that would end QEMU', () => {
  const facts = having(qemu, 'quirk:vhost-user-net-without-msix');
  expect(deviceOf(served('vhost-user-net'), facts)).toMatchObject({ vectors: 0 });
  for (const kind of kinds) {
    if (kind !== 'vhost-user-net') expect(deviceOf(served(kind), facts)).not.toHaveProperty('vectors');
  }
});

describe('the DAX window of a shared file system', () => {
  const withWindow = served('vhost-user-fs', { cacheSize: 64 });
  const facts = having(qemu, 'property:vhost-user-fs-pci.cache-size');

  test('goes out in bytes where this build has one', () => {
    checkOf(withWindow, facts);
    expect(deviceOf(withWindow, facts)).toMatchObject({ 'cache-size': 67_108_864 });
  });

  test('is refused where it has none, and 0 MiB are none', () => {
    expect(() => checkOf(withWindow)).toThrow(expect.objectContaining({ code: 'unsupported' }));
    const withoutWindow = served('vhost-user-fs', { cacheSize: 0 });
    checkOf(withoutWindow);
    expect(deviceOf(withoutWindow, facts)).not.toHaveProperty('cache-size');
  });
});

describe('what is refused before anything is done', () => {
  test.each(kinds)('%s on memory that is not shared, which QEMU would take and leave dead', (kind) => {
    checkOf(served(kind));
    expect(() => checkOf(served(kind), without(qemu, 'memory:shared'))).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        reason: expect.stringContaining('not shared'),
        hint: expect.stringMatching(/memory-backend-memfd.*share=on/),
      }),
    );
  });

  test.each(kinds)('%s on a build without its model', (kind) => {
    expect(() => checkOf(served(kind), without(qemu, `device:${drivers[kind]}`))).toThrow(
      expect.objectContaining({ code: 'unsupported', facts: { feature: `device:${drivers[kind]}` } }),
    );
  });

  test.each(kinds)('W27: %s for a machine with channels, instead of a PCI bridge that it has not', (kind) => {
    expect(() => checkOf(served(kind), { ...qemu, machine: 's390-ccw-virtio-7.2' })).toThrow(
      expect.objectContaining({ code: 'unsupported', reason: expect.stringContaining('channels') }),
    );
  });

  test.each(kinds)('%s read-only, which the VMM cannot promise', (kind) => {
    expect(() => checkOf(served(kind, { readOnly: true }))).toThrow(
      expect.objectContaining({ code: 'unsupported', hint: expect.stringContaining('--read-only') }),
    );
  });

  test.each<[string, HostVhostUser]>([
    ['a network card without a hardware address', { ...served('vhost-user-net'), mac: '' }],
    ['a hardware address that is none', served('vhost-user-net', { mac: '52:54:00:12:34' })],
    ['an empty tag', served('vhost-user-fs', { tag: '' })],
    ['a tag of 37 bytes in 19 characters', served('vhost-user-fs', { tag: `${'é'.repeat(18)}a` })],
  ])('W33: %s, which v1 left out of the VM without a word', (_, host) => {
    expect(() => checkOf(host)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  test('a tag of 36 bytes is not', () => {
    checkOf(served('vhost-user-fs', { tag: 'é'.repeat(18) }));
  });
});

test('needs a PCI slot', () => {
  expect(vhostUser.needs(requestOf(served('vhost-user-blk')))).toEqual({
    transport: 'pci',
    count: 1,
    features: ['device:vhost-user-blk-pci', 'memory:shared'],
  });
});

test('the guest finds it by the place, a file system by its tag, a card by its address', () => {
  const guestOf = (kind: HostVhostUser['kind']) => vhostUser.guestAddress(requestOf(served(kind)));
  expect(guestOf('vhost-user-blk')).toEqual({ pciPath: '02/00' });
  expect(guestOf('vhost-user-scsi')).toEqual({ pciPath: '02/00' });
  expect(guestOf('vhost-user-net')).toEqual({ pciPath: '02/00', mac: '52:54:00:aa:00:01' });
  expect(guestOf('vhost-user-fs')).toEqual({ pciPath: '02/00', tag: 'data' });
});
