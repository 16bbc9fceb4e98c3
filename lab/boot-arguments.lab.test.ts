import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hasCode } from '../src/api/errors.ts';
import type { JsonObject } from '../src/api/json.ts';
import { placeKey, type Bus, type Place } from '../src/api/place.ts';
import type { Command, Plan } from '../src/api/plan.ts';
import { bootArguments, bootBuses, qemuArguments, QemuHypervisor } from '../src/hypervisors/qemu/index.ts';
import type { QemuMachine } from '../src/hypervisors/qemu/index.ts';
import { qemuProgram } from '../src/hypervisors/qemu/programs.ts';
import { guardedDirectory } from './guard/guard.ts';
import { ensurePackages, qemuPackages, testPackages } from './setup/packages.ts';

const limits = { timeoutMs: 20_000 };
const bytes = 16 * 1024 * 1024;

let directory: string;
let children: { child: ChildProcess; ended: Promise<void> }[];

beforeAll(async () => {
  await ensurePackages([...qemuPackages, ...testPackages]);
}, 300_000);
beforeEach(() => {
  directory = guardedDirectory('vmplug-boot-');
  children = [];
});
afterEach(async () => {
  for (const { child } of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ ended }) => ended));
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a program that ends with the test; `words` is all that it said when it has ended. */
function start(program: string, args: readonly string[]): { child: ChildProcess; words: Promise<string> } {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const words = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(Buffer.concat(said).toString()));
  });
  children.push({ child, ended: words.then(() => undefined) });
  return { child, words };
}

const vm = (machine: QemuMachine['machine'], more: Partial<QemuMachine> = {}): QemuMachine => ({
  name: 'vm',
  machine,
  ports: 0,
  memory: '256M',
  kernel: 'none',
  accel: 'tcg',
  qmpSocket: join(directory, 'qmp'),
  consoleLog: join(directory, 'console'),
  execSocket: join(directory, 'exec'),
  ...more,
});

/** The arguments for a VM whose CPUs never run: it needs no kernel. */
function stoppedArguments(machine: QemuMachine): string[] {
  const ofKernel = new Set(['-kernel', '-append']);
  const args = qemuArguments(machine);
  return ['-S', ...args.filter((arg, index) => !ofKernel.has(arg) && !ofKernel.has(args[index - 1] ?? ''))];
}

async function startStopped(machine: QemuMachine): Promise<QemuHypervisor> {
  const { child, words } = start(qemuProgram(machine.machine), stoppedArguments(machine));
  for (;;) {
    try {
      return await QemuHypervisor.connect(machine.qmpSocket, limits);
    } catch (error) {
      if (!hasCode(error, 'vm-gone')) throw error;
      if (child.exitCode !== null) throw new Error(`QEMU ended: ${await words}`, { cause: error });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const plan = (vmmId: string, ...commands: [string, JsonObject][]): Plan => ({
  vmmId,
  steps: commands.map(([execute, args]) => ({
    summary: execute,
    run: { execute, arguments: args },
    undo: { execute: 'none' },
  })),
});

function image(name: string): string {
  const path = join(directory, name);
  writeFileSync(path, '');
  truncateSync(path, bytes);
  return path;
}

const node = (name: string): [string, JsonObject] => [
  'blockdev-add',
  { driver: 'raw', 'node-name': name, file: { driver: 'file', filename: image(`${name},1.img`) } },
];

async function ask(hypervisor: QemuHypervisor, command: Command): Promise<unknown> {
  const [reply] = await Promise.all(hypervisor.submit([command], limits));
  return reply;
}

/** Everything about a bus that a plan or a claim takes from it; of its many places the first. */
function layout({ name, transport, kind, capacity, places, taken }: Bus): unknown {
  const first: Place[] = [];
  for (const place of places) if (first.push(place) > 40) break;
  return { name, transport, kind, capacity, first, taken: new Map(taken) };
}
const usable = (buses: readonly Bus[]): unknown[] =>
  buses.filter(({ refuses }) => refuses === undefined).map(layout);

describe('the places of a VM before it starts are those that it has then', () => {
  const memorySlots = { count: 3, maxMemory: '1G' };
  const machines: [string, QemuMachine['machine'], Partial<QemuMachine>][] = [
    ['q35 with ports', 'q35', { ports: 3 }],
    ['q35 with bridges, ports that share slots, memory slots', 'q35', { ports: 30, bridges: 2, memorySlots }],
    ['pc with bridges and memory slots', 'pc', { bridges: 5, memorySlots }],
    ['pc', 'pc', {}],
    ['s390-ccw-virtio', 's390-ccw-virtio', {}],
    ['q35 with native hot-plug', 'q35', { ports: 3, bridges: 1, nativeHotplug: true }],
    ['virt with ports, some of which share slots', 'virt', { ports: 30 }],
  ];
  test.each(machines)('%s', async (_, machine, more) => {
    const options = vm(machine, more);
    await using hypervisor = await startStopped(options);
    const found = usable(await hypervisor.buses(limits));
    expect(found).toHaveLength(usable(bootBuses(options)).length);
    expect(usable(bootBuses(options))).toEqual(expect.arrayContaining(found));
  });
});

test('7.5 QEMU cold-plug: virtio-blk, scsi-hd, nvdimm and a NIC are there from the start under their ids', async () => {
  const back = { 'qom-type': 'memory-backend-file', id: 'nv', size: bytes, share: true };
  const coldPlug = [
    plan('blk', node('blk'), [
      'device_add',
      { driver: 'virtio-blk-pci', id: 'blk', drive: 'blk', bus: 'port1', addr: '00', 'share-rw': false },
    ]),
    plan('scsi', node('scsi'), [
      'device_add',
      { driver: 'scsi-hd', id: 'scsi', drive: 'scsi', bus: 'scsi0.0', channel: 0, 'scsi-id': 1, lun: 2 },
    ]),
    plan(
      'nv',
      ['object-add', { ...back, 'mem-path': image('nv,1.img') }],
      ['device_add', { driver: 'nvdimm', id: 'nv', memdev: 'nv', slot: 1 }],
    ),
    plan(
      'nic',
      ['netdev_add', { type: 'hubport', id: 'nic', hubid: 0 }],
      ['device_add', { driver: 'virtio-net-pci', id: 'nic', netdev: 'nic', bus: 'port0', addr: '00' }],
    ),
  ];
  const memorySlots = { count: 2, maxMemory: '1G' };
  await using hypervisor = await startStopped(
    vm('q35', { ports: 2, memorySlots, sharedMemory: true, scsiIothread: true, coldPlug }),
  );
  const { devices, backends } = await hypervisor.inventory(limits);
  expect(devices).toEqual(expect.arrayContaining(['blk', 'scsi', 'nv', 'nic']));
  expect(backends).toEqual(expect.arrayContaining(['blk', 'scsi', 'nv', 'iothread-scsi0']));
  const taken = (await hypervisor.buses(limits)).flatMap((bus) => [...bus.taken]);
  expect(taken).toEqual(
    expect.arrayContaining([
      ['pci:port0:00', 'nic'],
      ['pci:port1:00', 'blk'],
      ['scsi:scsi0.0:0:1:2', 'scsi'],
      ['memory:1', 'nv'],
    ]),
  );
  expect(await ask(hypervisor, { execute: 'query-memory-devices' })).toMatchObject([
    { type: 'nvdimm', data: { id: 'nv', slot: 1, size: bytes, memdev: '/objects/nv' } },
  ]);
  expect(hypervisor.facts.features).toEqual(
    expect.arrayContaining(['memory:shared', 'device:nvdimm', 'quirk:vhost-user-net-without-msix']),
  );
  const nvdimm: Place = { transport: 'memory', bus: 'memory', slot: 1, unplug: 'immediate' };
  expect(await hypervisor.observe('nv', nvdimm, limits)).toEqual({
    present: true,
    best: 'acknowledged',
    evidence: 'acknowledged',
    guest: {},
  });
});

test('W27: a channel device is there from the start at its number, and leaves as soon as it is asked', async () => {
  const place: Place = { transport: 'ccw', bus: 'virtual-css', devno: 'fe.0.000a', unplug: 'immediate' };
  const coldPlug = [
    plan('blk', node('blk'), [
      'device_add',
      { driver: 'virtio-blk-ccw', id: 'blk', drive: 'blk', devno: place.devno },
    ]),
  ];
  await using hypervisor = await startStopped(vm('s390-ccw-virtio', { coldPlug }));
  const [bus] = (await hypervisor.buses(limits)).filter(({ transport }) => transport === 'ccw');
  expect(bus?.taken).toEqual(new Map([[placeKey(place), 'blk']]));
  expect(await hypervisor.observe('blk', place, limits)).toMatchObject({ present: true, best: 'live' });
  expect(hypervisor.facts.features).toContain('device:virtio-blk-ccw');
  const again = hypervisor.submit(
    [{ execute: 'device_add', arguments: { driver: 'virtio-rng-ccw', id: 'x', devno: place.devno } }],
    limits,
  );
  const refused: unknown = await Promise.all(again).catch((error: unknown) => error);
  expect(hypervisor.isPlaceTaken(refused)).toBe(true);
  await hypervisor.requestUnplug({ execute: 'device_del', arguments: { id: 'blk' } }, limits);
  expect(await hypervisor.observe('blk', place, limits)).toMatchObject({ present: false });
});

test('W15: vhost-user-blk is connected from the start', async () => {
  const socket = join(directory, 'blk,1.sock');
  start('qemu-storage-daemon', [
    ...['--blockdev', JSON.stringify({ driver: 'file', 'node-name': 'n', filename: image('v.img') })],
    '--export',
    JSON.stringify({
      type: 'vhost-user-blk',
      id: 'e',
      'node-name': 'n',
      addr: { type: 'unix', path: socket },
    }),
  ]);
  while (!existsSync(socket)) await new Promise((resolve) => setImmediate(resolve));
  const data = { addr: { type: 'unix', data: { path: socket } }, server: false };
  const coldPlug = [
    plan(
      'vub',
      ['chardev-add', { id: 'vub', backend: { type: 'socket', data } }],
      ['device_add', { driver: 'vhost-user-blk-pci', id: 'vub', chardev: 'vub', bus: 'port0', addr: '00' }],
    ),
  ];
  await using hypervisor = await startStopped(vm('q35', { ports: 1, sharedMemory: true, coldPlug }));
  const { devices, backends } = await hypervisor.inventory(limits);
  expect(devices).toContain('vub');
  expect(backends).toContain('vub');
});

test('7.5 QEMU cold-plug: VFIO: QEMU takes the options with their types, and looks for the function', async () => {
  const device = {
    ...{ driver: 'vfio-pci', id: 'v', host: '0000:ff:1f.7', romfile: '', bus: 'port0', addr: '00' },
    ...{ 'x-pci-vendor-id': 0x8086, 'x-pci-device-id': 0x10ca },
  };
  const args = bootArguments([plan('v', ['device_add', device])]);
  const { words } = start('qemu-system-x86_64', [...stoppedArguments(vm('q35', { ports: 1 })), ...args]);
  expect(await words).toContain('0000:ff:1f.7: no such host device');
});
