import { linkSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultHostHooks } from '../api/config.ts';
import type { DeviceInfo } from '../api/device-info.ts';
import type { DeviceState } from '../api/device-state.ts';
import type { ErrorCode } from '../api/error-codes.ts';
import type { VmplugError } from '../api/errors.ts';
import { infoOf } from '../devices/managed/device.testing.ts';
import { SystemDeviceHost } from '../host/device-host.ts';
import { resolveVfioGroup } from '../host/vfio/resolve-vfio.ts';
import { resolveVhostUser } from '../host/vhost-user/resolve-vhost-user.ts';
import { fakeSysfs, type FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, errorOf, TestStore } from '../operations/bench.testing.ts';
import { BlockIndexes, mostBlockIndexes } from '../sandbox/block-indexes.ts';
import { SandboxReceiver } from '../sandbox/sandbox-receiver.ts';
import { storeFile } from '../store/state-file.ts';
import { SandboxDeviceManager } from './devices/device-manager.ts';
import { StoreDeviceJournal } from './devices/device-journal.ts';

let stores: TestStore;
let sysfs: FakeSysfs;
let directory: string;
let bench: Bench;
let manager: SandboxDeviceManager;
let receiver: SandboxReceiver;
beforeEach(() => {
  stores = new TestStore();
  sysfs = fakeSysfs();
  directory = mkdtempSync(join(tmpdir(), 'vmplug-bad-'));
  bench = new Bench(stores.store, { buses: everyBus() });
  manager = open();
  receiver = plug();
});
afterEach(() => {
  stores[Symbol.dispose]();
  sysfs[Symbol.dispose]();
  rmSync(directory, { recursive: true, force: true });
});

function open(): SandboxDeviceManager {
  return new SandboxDeviceManager({
    host: new SystemDeviceHost({ hooks: { ...defaultHostHooks, ...sysfs.hooks } }),
    blockDriver: 'virtio-blk',
    journal: new StoreDeviceJournal(stores.store, 'vm1'),
  });
}

function plug(indexes = new BlockIndexes()): SandboxReceiver {
  return new SandboxReceiver({
    store: stores.store,
    sandbox: bench.sandbox,
    use: (work) => work(bench.context),
    trees: { hooks: { ...defaultHostHooks, ...sysfs.hooks }, paths: sysfs.paths },
    indexes,
  });
}

/** Every row of the state, but for the journal of operations. */
function everything(): unknown {
  const db = new DatabaseSync(storeFile(stores.directory), { readOnly: true });
  const tables = ['sandboxes', 'attachments', 'claims', 'places', 'managed_devices', 'image_formats'];
  const rows = tables.map((table) => db.prepare(`SELECT * FROM ${table}`).all());
  db.close();
  return { rows, vm: bench.machine.devices, backEnds: bench.machine.backEnds.names };
}

/** That `work` is refused with `code`, says all that an error has to, and changes nothing. */
async function refuses(code: ErrorCode, subject: RegExp, work: () => Promise<unknown>): Promise<VmplugError> {
  const before = everything();
  const error = await errorOf(work());
  expect(error).toMatchObject({ code });
  expect(`${error.subject} ${error.reason}`).toMatch(subject);
  expect(error.reason).not.toBe('');
  expect(error.hint ?? '').not.toBe('');
  expect(everything()).toEqual(before);
  return error;
}

const disk = infoOf({ DevType: 'b', Major: 8, Minor: 16, ContainerPath: '/dev/data' });

test.each([
  [-1, 0],
  [0.5, 0],
  [4096, 0],
  [8, -1],
  [8, 2 ** 20],
  [Number.NaN, 0],
])('a major of %d with a minor of %d is none', async (Major, Minor) => {
  await refuses('invalid-device-number', new RegExp(`${Major}|${Minor}`), () =>
    manager.newDevice({ ...disk, Major, Minor }),
  );
});

test('no container path', async () => {
  await refuses('no-container-path', /8:16/, () => manager.newDevice({ ...disk, ContainerPath: '' }));
});

test('a BDF that does not exist', async () => {
  const trees = { hooks: sysfs.hooks, paths: sysfs.paths };
  await refuses('pci-device-not-found', /0000:09:00\.0/, () => resolveVfioGroup('vfio:0000:09:00.0', trees));
});

test('a group with a function that vfio does not have', async () => {
  sysfs.addFunction('0000:02:00.0', { group: '7', driver: 'vfio-pci' });
  sysfs.addFunction('0000:02:00.1', { group: '7', driver: 'e1000e' });
  sysfs.addGroupNode('7');
  const device = await manager.newDevice(group('/dev/vfio/7'));
  await refuses('group-not-viable', /0000:02:00\.1.*e1000e/, () =>
    manager.attachDevice(device.deviceID(), receiver),
  );
  expect(device.getAttachCount()).toBe(0n);
});

test('a socket that nobody serves any more', async () => {
  const path = join(directory, 'stale.sock');
  const server = createServer().listen(path);
  await once(server, 'listening');
  // What a process leaves behind that did not close its socket.
  const stale = join(directory, 'left.sock');
  linkSync(path, stale);
  server.close();
  await once(server, 'close');
  await refuses('socket-not-served', /left\.sock/, () =>
    resolveVhostUser('vhost-user-blk', stale, { paths: sysfs.paths }),
  );
});

test.each([0, 4095, 4097, (2 << 20) + 100])('a pmem file of %d bytes', async (size) => {
  const path = join(directory, 'pmem');
  writeFileSync(path, '');
  truncateSync(path, size);
  const info: DeviceInfo = { ...disk, Pmem: true, HostPath: path };
  const device = await manager.newDevice(info);
  await refuses('pmem-size', /pmem.*4096|4096/, () => manager.attachDevice(device.deviceID(), receiver));
  expect(device.getAttachCount()).toBe(0n);
});

test('too many devices: every block index is taken', async () => {
  const path = join(directory, 'disk');
  writeFileSync(path, Buffer.alloc(4096));
  const device = await manager.newDevice({ ...disk, Pmem: true, HostPath: path });
  const full = plug(new BlockIndexes(Array.from({ length: mostBlockIndexes }, (_, index) => index)));
  await refuses('too-many-devices', /65535/, () => manager.attachDevice(device.deviceID(), full));
  expect(device.getAttachCount()).toBe(0n);
});

const most = 2n ** 64n - 1n;
const atLimit: DeviceState = {
  ID: 'f'.repeat(16),
  Type: 'generic',
  RefCount: most,
  AttachCount: most,
  DevType: 'c',
  Major: 1,
  Minor: 3,
  ColdPlug: false,
  DriverOptions: null,
};

test('counts at their limit', async () => {
  manager.loadDevices([atLimit]);
  const device = manager.getDeviceByID(atLimit.ID);
  await refuses('too-many-attachments', /f{16}/, () => manager.attachDevice(atLimit.ID, receiver));
  const again = infoOf({ DevType: 'c', Major: 1, Minor: 3, ContainerPath: '/dev/null' });
  await refuses('too-many-references', /f{16}/, () => manager.newDevice(again));
  expect([device?.getRefCount(), device?.getAttachCount()]).toEqual([most, most]);
});

test('a saved state of another kind than its payload', async () => {
  const attrs = {
    DevID: 'x',
    SocketPath: '/s',
    Type: 'vhost-user-blk-pci',
    MacAddress: '',
    PCIPath: {},
    Index: 0,
  };
  const state: DeviceState = { ...atLimit, Type: 'vfio', VhostUserDev: attrs };
  await refuses('state-kind-mismatch', /vfio/, async () =>
    Promise.resolve().then(() => manager.loadDevices([{ ...atLimit, ID: 'a'.repeat(16) }, state])),
  );
  expect(manager.getAllDevices()).toEqual([]);
});

function group(path: string): DeviceInfo {
  return infoOf({ DevType: 'c', Major: 240, Minor: 1, ContainerPath: path });
}
