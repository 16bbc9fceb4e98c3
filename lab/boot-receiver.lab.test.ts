import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { JsonObject } from '../src/api/json.ts';
import { placeKey } from '../src/api/place.ts';
import { driveOf, infoOf } from '../src/devices/managed/device.testing.ts';
import { SystemDeviceHost } from '../src/host/device-host.ts';
import { isAlive, processIdentity, waitForEnd } from '../src/host/process-identity.ts';
import { bootBuses, type QemuHypervisor, type QemuMachine } from '../src/hypervisors/qemu/index.ts';
import { startQemu } from '../src/hypervisors/qemu/start.ts';
import { SandboxDeviceManager } from '../src/manager/devices/device-manager.ts';
import { Deadline } from '../src/operations/deadline.ts';
import { releaseBackends } from '../src/operations/run-plan.ts';
import { unplug } from '../src/operations/unplug.ts';
import { BootReceiver } from '../src/sandbox/boot-receiver.ts';
import { loopDisk, seenDisk, writeAt0 } from './devices-disks.testing.ts';
import { ensureGuestImage, execInGuest, waitForGuest } from './guest/index.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages, testPackages } from './setup/packages.ts';

const limits = { timeoutMs: 60_000 };
const pmemBytes = 32 * 1024 * 1024;

let image: Awaited<ReturnType<typeof ensureGuestImage>>;
let lab: Lab;
beforeAll(async () => {
  await ensurePackages([...qemuPackages, ...testPackages]);
  image = await ensureGuestImage();
}, 300_000);
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const machine = (name: string): QemuMachine => ({
  name,
  machine: 'q35',
  // More than there are slots: two in each, as functions.
  ports: 30,
  memory: '256M',
  memorySlots: { count: 2, maxMemory: '1G' },
  kernel: image.kernel,
  initrd: image.initrd,
  accel: 'tcg',
  qmpSocket: lab.path(`${name}.qmp`),
  consoleLog: lab.path(`${name}.console`),
  execSocket: lab.path(`${name}.exec`),
});

/** Starts a QEMU that ends with its handle. */
async function start(vm: QemuMachine): Promise<AsyncDisposable & { hypervisor: QemuHypervisor }> {
  const log = lab.path(`${vm.name}.log`);
  const { pid, hypervisor } = await startQemu(vm, { ...limits, binary: 'qemu-system-x86_64', log });
  const identity = processIdentity(pid);
  const end = async (): Promise<void> => {
    await hypervisor[Symbol.asyncDispose]();
    if (identity === undefined) return;
    if (isAlive(identity)) process.kill(pid, 'SIGKILL');
    expect(await waitForEnd(identity, 10_000), 'QEMU has ended').toBe(true);
  };
  return { hypervisor, [Symbol.asyncDispose]: end };
}

/** What a QEMU of this kind can do. */
async function factsOf(vm: QemuMachine): Promise<QemuHypervisor['facts']> {
  await using probed = await start(vm);
  return probed.hypervisor.facts;
}

test('7.5 QEMU cold-plug, W15: what a manager adds before the start is in the guest, where it was planned to be, and leaves like any other', async () => {
  using blk = loopDisk(lab, 'blk');
  using behind = loopDisk(lab, 'behind');
  using scsi = loopDisk(lab, 'scsi');
  const pmem = lab.image('pmem,1.img', pmemBytes);
  writeAt0(pmem, 'memory that lasts');
  const vm = machine('vm1');
  const boot = new BootReceiver({
    name: 'vm1',
    facts: await factsOf({ ...machine('probed'), ports: 0 }),
    buses: bootBuses(vm),
  });
  const manager = new SandboxDeviceManager({ host: new SystemDeviceHost() });
  const add = async (driver: string, info: ReturnType<typeof infoOf>) => {
    manager.blockDriver = driver;
    const device = await manager.newDevice({ ...info, ColdPlug: true });
    await manager.attachDevice(device.deviceID(), boot);
    return device;
  };
  const ofPmem = infoOf({ DevType: 'b', ContainerPath: '/dev/nv', Pmem: true, HostPath: pmem });
  await add('nvdimm', ofPmem);
  const onPci = await add('virtio-blk', blk.info());
  const onFunction = await add('virtio-blk', behind.info());
  const onScsi = await add('virtio-scsi', scsi.info());

  await using running = await start({ ...vm, coldPlug: boot.plans });
  const { hypervisor } = running;
  const { devices, backends } = await hypervisor.inventory(limits);
  const planned = boot.plans.map(({ vmmId }) => vmmId);
  expect(planned).toHaveLength(4);
  expect(devices).toEqual(expect.arrayContaining(planned));
  expect(backends).toEqual(expect.arrayContaining(planned));
  const taken = new Map((await hypervisor.buses(limits)).flatMap((bus) => [...bus.taken]));
  for (const { place, plan } of boot.attachments) expect(taken.get(placeKey(place))).toBe(plan.vmmId);
  expect(await ask(hypervisor, { execute: 'query-memory-devices' })).toMatchObject([
    { type: 'nvdimm', data: { id: planned[0], slot: 0, size: pmemBytes } },
  ]);

  await waitForGuest(vm.execSocket, limits);
  const seenBlk = await seenDisk(vm.execSocket, onPci.deviceID(), blk.words);
  expect(seenBlk?.words).toBe(blk.words);
  expect(driveOf(onPci)).toMatchObject({ SCSIAddr: '', Format: 'raw' });
  expect(driveOf(onPci)?.PCIPath.toString()).toBe(seenBlk?.pciSlots.join('/'));
  const seenBehind = await seenDisk(vm.execSocket, onFunction.deviceID(), behind.words);
  expect(seenBehind).toEqual({ pciSlots: ['02.1', '00'], words: behind.words });
  // A path of slots cannot say that, and is not made up.
  expect(driveOf(onFunction)?.PCIPath.isNil()).toBe(true);
  const seenScsi = await seenDisk(vm.execSocket, onScsi.deviceID(), scsi.words);
  expect(seenScsi?.words).toBe(scsi.words);
  expect(seenScsi?.scsi?.split(':').slice(2).join(':')).toBe(driveOf(onScsi)?.SCSIAddr);
  const { stdout } = await execInGuest(vm.execSocket, 'head -c 17 /dev/pmem0', limits);
  expect(stdout.toString('utf8')).toBe('memory that lasts');

  for (const attachment of boot.attachments.filter(({ kind }) => kind === 'block')) {
    const { outcome } = await unplug(hypervisor, attachment, new Deadline(20_000));
    expect(outcome, attachment.driver).toBe('released');
    await releaseBackends(hypervisor, attachment.plan);
  }
  const left = await hypervisor.inventory(limits);
  expect(planned.filter((vmmId) => left.devices.includes(vmmId))).toEqual(planned.slice(0, 1));
  expect(planned.filter((vmmId) => left.backends.includes(vmmId))).toEqual(planned.slice(0, 1));
});

async function ask(hypervisor: QemuHypervisor, command: { execute: string; arguments?: JsonObject }) {
  const [reply] = await Promise.all(hypervisor.submit([command], limits));
  return reply;
}
