import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../api/json.ts';
import type { Command, Plan } from '../../api/plan.ts';
import { bootArguments, inheriting } from './boot-arguments.ts';

const plan = (...commands: Command[]): Plan => ({
  vmmId: 'd0',
  steps: commands.map((run) => ({ summary: run.execute, run, undo: { execute: 'undo' } })),
});
const add = (execute: string, args: JsonObject): Command => ({ execute, arguments: args });
const options = (made: Plan): [string, unknown][] => {
  const args = bootArguments([made]);
  return args.flatMap((arg, index) =>
    index % 2 === 0 ? [[arg, JSON.parse(args[index + 1] ?? '') as unknown]] : [],
  );
};

test('W15: a disk can be there from the start: each step is an option, types and names as over QMP', () => {
  const node = {
    driver: 'raw',
    'node-name': 'd0',
    file: { driver: 'file', filename: '/a,b' },
    'read-only': true,
  };
  const device = {
    driver: 'virtio-blk-pci',
    bus: 'port0',
    addr: '00',
    id: 'd0',
    drive: 'd0',
    'share-rw': false,
  };
  expect(options(plan(add('blockdev-add', node), add('device_add', device)))).toEqual([
    ['-blockdev', node],
    ['-device', device],
  ]);
});

test('objects and network back ends; a size beyond 2^53 is not rounded', () => {
  const size = 2n ** 60n + 1n;
  const backend = { 'qom-type': 'memory-backend-file', id: 'm0', 'mem-path': '/p', size, share: true };
  expect(
    bootArguments([plan(add('object-add', backend), add('netdev_add', { type: 'vhost-user', id: 'n0' }))]),
  ).toEqual([
    ...[
      '-object',
      `{"qom-type":"memory-backend-file","id":"m0","mem-path":"/p","size":${size},"share":true}`,
    ],
    ...['-netdev', '{"type":"vhost-user","id":"n0"}'],
  ]);
});

test('W07: every function of a group is there, not the first alone', () => {
  const functions = [0, 1, 2].map((index) =>
    add('device_add', { driver: 'vfio-pci', id: `d0-${index}`, host: `0000:04:00.${index}` }),
  );
  expect(options(plan(...functions)).map(([, device]) => device)).toEqual(
    functions.map((command) => command.arguments),
  );
});

describe('7.5 QEMU cold-plug: VFIO', () => {
  const host = { driver: 'vfio-pci', id: 'd0', bus: 'port0', addr: '00', host: '0000:02:10.1', romfile: '' };
  test.each([
    ['without vendor and device ids', host],
    ['with vendor and device ids', { ...host, 'x-pci-vendor-id': 0x8086, 'x-pci-device-id': 0x10ca }],
  ])('%s', (_, device) => {
    expect(options(plan(add('device_add', device)))).toEqual([['-device', device]]);
  });
});

describe('character devices', () => {
  const client = (data: JsonObject, more: JsonObject = {}): Command =>
    add('chardev-add', { id: 'char-d0', backend: { type: 'socket', data, ...more } });
  const unix = (path: string): JsonObject => ({ type: 'unix', data: { path } });

  test('7.5 QEMU cold-plug: a vhost-user NIC: the client of a socket, its network back end, the card', () => {
    const args = bootArguments([
      plan(
        client({ addr: unix('/run/a,b.sock'), server: false }),
        add('netdev_add', { type: 'vhost-user', id: 'net-d0', chardev: 'char-d0' }),
        add('device_add', { driver: 'virtio-net-pci', id: 'd0', netdev: 'net-d0', mac: '52:54:00:12:34:56' }),
      ),
    ]);
    expect(args.slice(0, 2)).toEqual(['-chardev', 'socket,id=char-d0,path=/run/a,,b.sock,server=off']);
    expect(args.filter((_, index) => index % 2 === 0)).toEqual(['-chardev', '-netdev', '-device']);
  });

  test('seconds until it connects again are passed on', () => {
    const again = client({ addr: unix('/s'), server: false, wait: false, reconnect: 5 });
    expect(bootArguments([plan(again)])[1]).toBe('socket,id=char-d0,path=/s,server=off,reconnect=5');
  });

  test('connections that were checked are inherited, in the order of the devices, and no option is left over', () => {
    const checked = (vmmId: string): Plan => ({
      ...plan(
        {
          ...add('getfd', { fdname: vmmId }),
          peer: { connectTo: `/${vmmId}`, protocol: 'vhost-user', afterwards: 'hand-over' },
        },
        client({ addr: { type: 'fd', data: { str: vmmId } }, server: false }),
      ),
      vmmId,
    });
    const plans = [checked('d0'), plan(client({ addr: unix('/s'), server: false })), checked('d1')];
    expect(inheriting(plans).map(({ vmmId }) => vmmId)).toEqual(['d0', 'd1']);
    expect(bootArguments(plans)).toEqual([
      ...['-chardev', 'socket,id=char-d0,fd=3,server=off'],
      ...['-chardev', 'socket,id=char-d0,path=/s,server=off'],
      ...['-chardev', 'socket,id=char-d0,fd=4,server=off'],
    ]);
  });

  const refused: [string, Command][] = [
    [
      'a connection that nobody hands over',
      client({ addr: { type: 'fd', data: { str: 'd0' } }, server: false }),
    ],
    ['a listener', client({ addr: unix('/s'), server: true })],
    ['a listener by default', client({ addr: unix('/s') })],
    ['TCP', client({ addr: { type: 'inet', data: { host: 'h', port: '1' } }, server: false })],
    ['telnet', client({ addr: unix('/s'), server: false, telnet: true })],
    [
      'an abstract socket',
      client({ addr: { type: 'unix', data: { path: 's', abstract: true } }, server: false }),
    ],
    ['another kind', add('chardev-add', { id: 'c', backend: { type: 'null', data: {} } })],
    ['no arguments', { execute: 'chardev-add' }],
  ];
  test.each(refused)('refused: %s', (_, command) => {
    expect(() => bootArguments([plan(command)])).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });
});

test.each([['getfd'], ['device-sync-config'], [''], ['toString'], ['__proto__']])(
  'W06, W33: a step that cannot be said at boot is an error, never left out: %s',
  (execute) => {
    const made = plan(add('device_add', { driver: 'vfio-pci', id: 'd0' }), { execute });
    expect(() => bootArguments([made])).toThrow(
      expect.objectContaining({ code: 'unsupported', subject: execute, facts: { command: execute } }),
    );
  },
);
