import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processIdentity, waitForEnd } from '../src/host/process-identity.ts';
import { driveOf } from '../src/devices/managed/device.testing.ts';
import { readListing } from '../src/manager/listing.ts';
import type { SandboxDevices, SandboxDevicesOptions } from '../src/manager/sandbox-devices.ts';
import { Vmplug } from '../src/manager/vmplug.ts';
import { agentDevice } from '../src/oci/index.ts';
import { errorOf } from '../src/operations/bench.testing.ts';
import { holdersOf, loopDisk, seenDisk, type LoopDisk } from './devices-disks.testing.ts';
import { changesNothing, vmmHas } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages, testPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages([...qemuPackages, ...testPackages]);
  lab = new Lab();
});
afterAll(() => lab[Symbol.asyncDispose]());

type Driver = 'virtio-blk' | 'virtio-scsi';

/** Opens the state of the lab, as a process does, and the devices of a VM in it. */
function open(
  name: string,
  driver: Driver,
  options: SandboxDevicesOptions = {},
  lingerMs = 0,
): AsyncDisposable & SandboxDevices {
  const vmplug = Vmplug.open({ stateDir: lab.stateDir, lingerMs });
  const devices = vmplug.devices(name, { ...options, config: { block_device_driver: driver } });
  return Object.assign(devices, { [Symbol.asyncDispose]: () => vmplug[Symbol.asyncDispose]() });
}

/** Adds a device as a process does that ends then. */
async function addAndClose(name: string, loop: LoopDisk): Promise<string> {
  await using devices = open(name, 'virtio-blk');
  return (await devices.addDevice(loop.info())).deviceID();
}

const seen = (name: string, device: string, { words }: LoopDisk) =>
  seenDisk(lab.sandbox(name).execSocket, device, words);
const vmHas = (name: string) => vmmHas(lab.sandbox(name).socket);

describe('a block node of this host in a VM on q35', () => {
  beforeAll(async () => {
    await lab.run('vm1', '--machine', 'q35', '--ports', '4');
    // Disks that no index counts: addresses that are made of indexes are wrong from here on.
    for (const driver of ['virtio-blk', 'virtio-scsi']) {
      await lab.ok('attach', 'vm1', lab.image(`other-${driver}.img`), '--driver', driver);
    }
  });

  test.each(['virtio-blk', 'virtio-scsi'] as const)(
    '7.3 attach/detach as %s: counted, with the addresses that the guest has it at',
    async (driver) => {
      using loop = loopDisk(lab, `counted-${driver}`);
      await changesNothing(lab, ['vm1'], async () => {
        await using devices = open('vm1', driver);
        const { manager, receiver } = devices;
        const device = await manager.newDevice(loop.info());
        const id = device.deviceID();
        await manager.attachDevice(id, receiver);

        const disk = await seen('vm1', id, loop);
        expect(disk?.words).toBe(loop.words);
        const { PCIPath, SCSIAddr, Index } = driveOf(device);
        expect(Index).toBe(0);
        const address = { PCIPath: PCIPath.toString(), SCSIAddr };
        if (driver === 'virtio-blk') {
          expect(address).toEqual({ PCIPath: disk?.pciSlots.join('/'), SCSIAddr: '' });
          expect(address.PCIPath).toMatch(/^[0-9a-f]{2}\/00$/);
        } else {
          const [, , target, lun] = disk?.scsi?.split(':') ?? [];
          expect(address).toEqual({ PCIPath: '', SCSIAddr: `${target}:${lun}` });
        }
        expect(agentDevice(device.getDeviceInfo(), driver, '/dev/x')).toMatchObject({
          id: driver === 'virtio-blk' ? disk?.pciSlots.join('/') : SCSIAddr,
          container_path: '/dev/x',
        });

        expect(await manager.newDevice(loop.info({ ContainerPath: '/dev/second' }))).toBe(device);
        expect(device.getRefCount()).toBe(2n);
        const plugged = await vmHas('vm1');
        await manager.attachDevice(id, receiver);
        expect(device.getAttachCount()).toBe(2n);
        await manager.detachDevice(id, receiver);
        expect(device.getAttachCount()).toBe(1n);
        expect(await vmHas('vm1')).toEqual(plugged);
        expect(holdersOf(lab, loop)).toEqual([id]);

        await manager.detachDevice(id, receiver);
        expect(manager.isDeviceAttached(id)).toBe(false);
        expect(await seen('vm1', id, loop)).toBeUndefined();
        await manager.removeDevice(id);
        expect(manager.getDeviceByID(id)).toBe(device);
        await manager.removeDevice(id);
        expect(manager.getAllDevices()).toEqual([]);
      });
      await using after = open('vm1', driver);
      expect(after.manager.getAllDevices()).toEqual([]);
      expect(holdersOf(lab, loop)).toEqual([]);
    },
  );

  test('W57, W95: attached by one object, it is there, whole, for the next one, which detaches it', async () => {
    using loop = loopDisk(lab, 'handed-on');
    await changesNothing(lab, ['vm1'], async () => {
      const id = await addAndClose('vm1', loop);
      const disk = await seen('vm1', id, loop);
      expect(disk?.words).toBe(loop.words);

      await using devices = open('vm1', 'virtio-blk');
      const { manager, receiver } = devices;
      expect(manager.isDeviceAttached(id)).toBe(true);
      const [device] = manager.getAllDevices();
      expect(device?.getRefCount()).toBe(1n);
      expect(device && agentDevice(device.getDeviceInfo(), 'virtio-blk', '/dev/x')?.id).toBe(
        disk?.pciSlots.join('/'),
      );
      expect(await receiver.getAndSetSandboxBlockIndex()).toBe(1);
      await manager.detachDevice(id, receiver);
      expect(await seen('vm1', id, loop)).toBeUndefined();
      await manager.removeDevice(id);
    });
    expect(holdersOf(lab, loop)).toEqual([]);
  });
});

describe('a VM with one port', () => {
  beforeAll(() => lab.run('vm2', '--machine', 'q35', '--ports', '1'));

  test('7.5 a second disk finds no place: counts and index are as before, and it fits when the first has left', async () => {
    using first = loopDisk(lab, 'first');
    using second = loopDisk(lab, 'second');
    await using devices = open('vm2', 'virtio-blk');
    const { manager, receiver } = devices;
    const holder = await devices.addDevice(first.info());
    const device = await manager.newDevice(second.info());
    const id = device.deviceID();
    await changesNothing(lab, ['vm2'], async () => {
      expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({
        code: 'no-free-place',
        subject: 'vm2',
        facts: { total: 1, free: 0, transport: 'pci' },
      });
    });
    expect(device.getAttachCount()).toBe(0n);
    expect(device.getRefCount()).toBe(1n);
    expect(manager.isUnsettled(id)).toBe(false);
    expect(device.getDeviceInfo()).toEqual({ type: 'block', drive: null });
    expect(holdersOf(lab, second)).toEqual([]);
    expect([...manager.blockIndexes()]).toEqual([0]);
    expect(await receiver.getAndSetSandboxBlockIndex()).toBe(1);
    await receiver.unsetSandboxBlockIndex(1);

    await manager.detachDevice(holder.deviceID(), receiver);
    await manager.attachDevice(id, receiver);
    expect((await seen('vm2', id, second))?.words).toBe(second.words);
    await manager.detachDevice(id, receiver);
    for (const each of manager.getAllDevices()) await manager.removeDevice(each.deviceID());
    expect(readListing(lab.stateDir, 'vm2').attachments).toEqual([]);
  });

  test('W105: a disk whose driver the guest loads late is found by the next attach, not plugged again', async () => {
    using loop = loopDisk(lab, 'late');
    const inGuest = async (script: string): Promise<void> =>
      expect(await lab.guest('vm2', script)).toMatchObject({ exitCode: 0 });
    await changesNothing(lab, ['vm2'], async () => {
      await using devices = open('vm2', 'virtio-blk', { timeoutMs: 500 });
      const { manager, receiver } = devices;
      const device = await manager.newDevice(loop.info());
      const id = device.deviceID();
      await inGuest('rmmod virtio_blk');
      try {
        expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({
          code: 'outcome-unknown',
          cause: { code: 'deadline-passed' },
        });
      } finally {
        await inGuest('insmod /lib/modules/virtio_blk.ko');
      }
      expect(await errorOf(manager.removeDevice(id))).toMatchObject({ code: 'outcome-unknown' });
      const plugged = await vmHas('vm2');
      await manager.attachDevice(id, receiver);
      expect(device.getAttachCount()).toBe(1n);
      expect(await vmHas('vm2')).toEqual(plugged);
      const disk = await seen('vm2', id, loop);
      expect(disk?.words).toBe(loop.words);
      expect(driveOf(device)?.PCIPath.toString()).toBe(disk?.pciSlots.join('/'));
      await manager.detachDevice(id, receiver);
      await manager.removeDevice(id);
    });
    expect(holdersOf(lab, loop)).toEqual([]);
  });
});

describe('a VM that is killed while it has a disk: the disk is detached and removed, and nothing holds its node', () => {
  const kill = (name: string): Promise<boolean> => {
    const { pid } = lab.sandbox(name);
    const identity = processIdentity(pid);
    process.kill(pid, 'SIGKILL');
    return identity === undefined ? Promise.resolve(false) : waitForEnd(identity, 10_000);
  };

  async function letGo({ manager, receiver }: SandboxDevices, name: string, loop: LoopDisk): Promise<void> {
    const id = manager.getAllDevices()[0]?.deviceID() ?? '';
    expect(holdersOf(lab, loop)).toEqual([id]);
    await manager.detachDevice(id, receiver);
    expect(manager.isDeviceAttached(id)).toBe(false);
    expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({ code: 'vm-gone' });
    await manager.removeDevice(id);
    expect(manager.getAllDevices()).toEqual([]);
    expect(readListing(lab.stateDir, name).attachments).toEqual([]);
    expect(holdersOf(lab, loop)).toEqual([]);
  }

  test('after it has ended, by one that was never connected to it', async () => {
    await lab.run('vm3', '--machine', 'q35', '--ports', '1');
    using loop = loopDisk(lab, 'orphan');
    await addAndClose('vm3', loop);
    expect(await kill('vm3')).toBe(true);
    await using devices = open('vm3', 'virtio-blk');
    await letGo(devices, 'vm3', loop);
  });

  test('while it ends, over a connection that was there', async () => {
    await lab.run('vm4', '--machine', 'q35', '--ports', '1');
    using loop = loopDisk(lab, 'half-orphan');
    await using devices = open('vm4', 'virtio-blk', {}, 60_000);
    await devices.addDevice(loop.info());
    const ended = kill('vm4');
    await letGo(devices, 'vm4', loop);
    expect(await ended).toBe(true);
  });
});
