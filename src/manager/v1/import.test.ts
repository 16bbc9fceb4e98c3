import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SqliteStore } from '../../store/sqlite-store.ts';
import { rich, richContainer } from '../../store/v1/documents.testing.ts';
import { lockDirectory } from '../../store/v1/lock-directory.ts';
import { SystemDeviceHost } from '../../host/device-host.ts';
import { openDeviceManager } from '../devices/device-opening.ts';
import { importV1State, type V1Imported } from './import.ts';

let root: string;
let stateDir: string;
/** A sandbox's directory in v1's layout, with one container. */
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vmplug-import-'));
  stateDir = join(root, 'state');
  directory = join(root, 'vc', 'sbs', 'sandbox-1');
  mkdirSync(join(directory, 'c1'), { recursive: true });
  writeFileSync(join(directory, 'persist.json'), rich);
  writeFileSync(join(directory, 'c1', 'persist.json'), richContainer);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = async (file = directory, more: { name?: string; timeoutMs?: number } = {}): Promise<V1Imported> =>
  importV1State({ stateDir, file, ...more });
const write = (text: string, name = 'persist.json'): void => writeFileSync(join(directory, name), text);

/** A process that runs, with `word` on its command line. */
function startVmm(word: string): Disposable & { readonly pid: number } {
  const child = spawn('sleep', ['infinity'], { argv0: `qemu ${word}`, stdio: 'ignore' });
  return { pid: child.pid ?? 0, [Symbol.dispose]: () => child.kill('SIGKILL') };
}

/** Everything that is recorded. */
function recorded(): unknown {
  using store = SqliteStore.openExisting(stateDir);
  return store?.read((tx) => tx.sandboxes().map(({ name }) => [name, tx.managedDevices(name).length]));
}

describe('what is recorded', () => {
  test('the sandbox, its devices as v1 saved them, and the documents whole', async () => {
    const { sandbox, devices, containers } = await run();
    expect(sandbox).toMatchObject({
      name: 'sandbox-1',
      hypervisor: 'qemu',
      origin: 'adopted',
      socket: join(root, 'vc/vm/sandbox-1/qmp.sock'),
      facts: { type: 'qemu', version: '', machine: 'q35', features: [] },
    });
    expect(sandbox.process).toBeUndefined();
    expect(containers).toEqual(['c1']);
    using store = SqliteStore.open(stateDir);
    store.read((tx) => {
      expect(tx.sandbox('sandbox-1')).toEqual(sandbox);
      expect(tx.managedDevices('sandbox-1')).toEqual(devices.map(({ record }) => record));
      expect(tx.managedDevices('sandbox-1')[1]?.state).toMatchObject({
        RefCount: 18446744073709551615n,
        AttachCount: 9007199254740993n,
      });
      expect(tx.v1State('sandbox-1')).toContain('"HotpluggedMemory":512');
      expect(tx.v1State('sandbox-1')).toContain('"FileMode":69206454');
    });
  });

  test('W95: what v1 lost is found in what else it kept, and the rest is named', async () => {
    const { devices } = await run();
    const of = (index: number): V1Imported['devices'][number]['record']['info'] | undefined =>
      devices[index]?.record.info;
    expect(of(0)).toMatchObject({
      HostPath: '/dev/dm-4',
      ContainerPath: '/data',
      ReadOnly: true,
      ID: '0000000000000001',
    });
    expect(devices[0]?.record.drive).toEqual({ ReadOnly: true, ShareRW: false });
    expect(devices[0]?.lost).toEqual(['FileMode', 'UID', 'GID', 'ShareRW']);
    expect(of(2)).toMatchObject({ HostPath: '', ColdPlug: true, Major: 243, Minor: 1 });
    expect(devices[2]?.lost).toEqual(
      expect.arrayContaining(['HostPath', 'IsPCIe', 'Class', 'Bus', 'VendorID', 'DeviceID']),
    );
    expect(devices[3]?.lost).toContain('PCIPath');
    expect(of(3)?.HostPath).toBe('/run/v.sock');
    expect(of(5)).toMatchObject({ ContainerPath: '/dev/null0', FileMode: 69206454, UID: 7, GID: 8 });
    expect(devices[5]?.lost).toEqual(['HostPath']);
  });

  test('the devices are there in a manager of the sandbox', async () => {
    await run();
    using store = SqliteStore.open(stateDir);
    const manager = openDeviceManager({ store, sandbox: 'sandbox-1', host: new SystemDeviceHost() });
    expect(manager.getAllDevices().map((device) => device.deviceType())).toEqual([
      'block',
      'block',
      'vfio',
      'vhost-user-blk-pci',
      'virtio-net-pci',
      'generic',
    ]);
    expect(manager.getDeviceByID('0000000000000002')?.getAttachCount()).toBe(9007199254740993n);
    expect(manager.getDeviceByID('0000000000000001')?.getHostPath()).toBe('/dev/dm-4');
  });

  test('W94: the PCI path that v1 lost is found by its bridges, where one of them has the device', async () => {
    const { devices } = await run();
    expect(devices[0]?.record.state.BlockDrive?.PCIPath).toBe('02/01');
    expect(devices[3]?.record.state.VhostUserDev?.PCIPath).toEqual({});
  });

  test('the process that v1 noted, while it runs and has the sandbox on its command line', async () => {
    using vmm = startVmm('/run/vc/vm/sandbox-1/qmp.sock');
    write(rich.replace('"Pid":0', `"Pid":${vmm.pid}`));
    expect((await run()).sandbox.process?.pid).toBe(vmm.pid);
  });

  test('a process that got the number of v1’s after the VM ended is not the VM', async () => {
    write(rich.replace('"Pid":0', `"Pid":${process.pid}`));
    expect((await run()).sandbox.process).toBeUndefined();
    using store = SqliteStore.open(stateDir);
    expect(store.read((tx) => tx.attachments('sandbox-1'))).toEqual([]);
  });

  test('whoever serves the socket is the VM’s process, whatever v1 noted', async () => {
    const socket = join(root, 'vc/vm/sandbox-1/qmp.sock');
    mkdirSync(join(root, 'vc/vm/sandbox-1'), { recursive: true });
    const server = createServer().listen(socket);
    await once(server, 'listening');
    try {
      write(rich.replace('"Pid":0', '"Pid":1'));
      expect((await run()).sandbox).toMatchObject({ socket, process: { pid: process.pid } });
    } finally {
      server.close();
    }
  });

  test.each([
    ['clh', '"APISocket":"/run/clh.sock"', '/run/clh.sock'],
    ['clh', '"APISocket":""', '/vc/vm/sandbox-1/clh-api.sock'],
    ['firecracker', '"APISocket":""', '/vc/firecracker/sandbox-1/root/run/firecracker.socket'],
  ])('%s with %s is reached at %s', async (type, socket, expected) => {
    write(rich.replace('"Type":"qemu"', `"Type":"${type}"`).replace('"APISocket":""', socket));
    const { sandbox } = await run();
    expect(sandbox).toMatchObject({
      hypervisor: type,
      socket: expect.stringMatching(new RegExp(`${expected}$`)),
    });
  });

  test('a copy of the document alone, under another name', async () => {
    const copy = join(root, 'copy.json');
    writeFileSync(copy, rich);
    const { sandbox, containers } = await run(copy, { name: 'vm1' });
    expect(sandbox).toMatchObject({ name: 'vm1', socket: '/run/vc/vm/sandbox-1/qmp.sock' });
    expect(containers).toEqual([]);
  });

  test('a device of an unknown type is not plugged, even where it has a drive', async () => {
    using vmm = startVmm('sandbox-1');
    write(
      rich
        .replace('"Pid":0', `"Pid":${vmm.pid}`)
        .replace('"ID":"0000000000000001","Type":"block"', '"ID":"0000000000000001","Type":"teleporter"'),
    );
    const { skipped } = await run();
    expect(skipped).toHaveLength(1);
    using store = SqliteStore.open(stateDir);
    expect(store.read((tx) => tx.attachment('0000000000000001'))).toBeUndefined();
  });

  test('a device of an unknown type is skipped and said so', async () => {
    write(rich.replace('"Type":"generic"', '"Type":"teleporter"'));
    const { devices, skipped } = await run();
    expect(devices).toHaveLength(5);
    expect(skipped).toEqual([{ id: '0000000000000006', type: 'teleporter' }]);
  });
});

describe('what is refused changes nothing', () => {
  test('a sandbox of that name', async () => {
    await run();
    const before = recorded();
    write(rich.replace('"AttachCount":2', '"AttachCount":0'));
    await expect(run()).rejects.toMatchObject({ code: 'sandbox-exists' });
    await expect(run(directory, { name: 'other' })).rejects.toMatchObject({ code: 'sandbox-exists' });
    expect(recorded()).toEqual(before);
  });

  test.each([
    ['W90: a document that ends in the middle', rich.slice(0, 900), 'invalid-state', '$'],
    ['W98: a newer document', '{"PersistVersion":3}', 'state-too-new', '$.PersistVersion'],
    [
      'a damaged device',
      rich.replace('"RefCount":2', '"RefCount":-2'),
      'invalid-state',
      '$.Devices[0].RefCount',
    ],
    [
      'a VMM that v1 does not have',
      rich.replace('"Type":"qemu"', '"Type":"xen"'),
      'invalid-state',
      '$.HypervisorState.Type',
    ],
    [
      'a node of no type',
      rich.replace('"DevType":"b"', '"DevType":"x"'),
      'invalid-state',
      '$.Devices[0].DevType',
    ],
    ['no id', rich.replace('sandbox-1', ''), 'invalid-state', '$.SandboxContainer'],
    ['an id that is no name', rich.replace('sandbox-1', 'a b'), 'invalid-argument', '$.SandboxContainer'],
  ])('%s', async (_, text, code, path) => {
    write(text);
    await expect(run()).rejects.toMatchObject({ code, facts: { path } });
    expect(recorded()).toBeUndefined();
  });

  test.each(['', '.', '..', '../x', 'a/b', 'x'.repeat(256)])(
    'an id that v1 had no directory for, whatever the name: %s',
    async (id) => {
      write(rich.replace('sandbox-1', id));
      await expect(run(directory, { name: 'vm1' })).rejects.toMatchObject({
        code: 'invalid-state',
        facts: { path: '$.SandboxContainer' },
      });
      expect(recorded()).toBeUndefined();
    },
  );

  test('a document of a container that is no file, which is not waited for', async () => {
    rmSync(join(directory, 'c1', 'persist.json'));
    spawnSync('mkfifo', [join(directory, 'c1', 'persist.json')]);
    await expect(run()).rejects.toMatchObject({
      code: 'source-unsuitable',
      subject: join(directory, 'c1', 'persist.json'),
    });
    expect(recorded()).toBeUndefined();
  });

  test('a second sandbox with devices of the same ids, which are left to the first', async () => {
    const root2 = join(root, 'vc2', 'sbs', 'sandbox-1');
    mkdirSync(root2, { recursive: true });
    using vmm = startVmm('sandbox-1');
    const running = rich.replace('"Pid":0', `"Pid":${vmm.pid}`);
    write(running);
    writeFileSync(join(root2, 'persist.json'), running);
    await run();
    const attachments = (): unknown => {
      using store = SqliteStore.open(stateDir);
      return store.read((tx) => tx.attachments());
    };
    const before = attachments();
    expect(before).not.toEqual([]);
    await expect(run(root2, { name: 'copy' })).rejects.toMatchObject({ code: 'claimed-elsewhere' });
    expect(attachments()).toEqual(before);
    expect(recorded()).toHaveLength(1);
  });

  test('a damaged document of a container', async () => {
    write('{"State":1}', 'c1/persist.json');
    await expect(run()).rejects.toMatchObject({
      code: 'invalid-state',
      subject: join(directory, 'c1', 'persist.json'),
      facts: { path: '$.State' },
    });
    expect(recorded()).toBeUndefined();
  });

  test('what is not there, and what is no file', async () => {
    await expect(run(join(root, 'nothing'))).rejects.toMatchObject({ code: 'source-not-found' });
    await expect(run(root)).rejects.toMatchObject({ code: 'source-not-found' });
    await expect(run('/dev/null')).rejects.toMatchObject({ code: 'source-unsuitable' });
    await expect(run(directory, { name: 'a/b' })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(recorded()).toBeUndefined();
  });

  test('a sandbox that v1 is changing is waited for, not for ever (W84)', async () => {
    const unlock = await lockDirectory(directory, true);
    try {
      await expect(run(directory, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'deadline-passed' });
    } finally {
      unlock();
    }
    await run();
    (await lockDirectory(directory, true, { timeoutMs: 1000 }))();
  });
});
