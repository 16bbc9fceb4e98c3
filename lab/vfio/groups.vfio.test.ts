import { describe, expect, it } from 'vitest';
import { seen } from '../seen.ts';
import { addNic, addNvme, hasNativeUse, type OuterDevice } from './devices.ts';
import { startFrozenVm } from './frozen-vm.ts';
import { bindByHand, driverOf, findDisk, groupOf, readScript } from './functions.ts';
import { answered, pingScript } from './network.ts';
import { until } from './outer.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

const outer = useOuter();
const vmplug = useLibrary(outer);

/** The address of the card behind the bridge, and of the bridge. */
const bridged = '0000:08:01.0';
const bridge = '0000:07:00.0';
/** The disk from which the outer guest runs. */
const bootDisk = '0000:00:02.0';

/** An NVMe disk and a network card that are one IOMMU group, being functions of one slot. */
async function addPair(port: number): Promise<{ disk: OuterDevice; card: OuterDevice & { mac: string } }> {
  const card = await addNic(outer(), 'e1000e', { port, function: 1 });
  const disk = await addNvme(outer(), { port, multifunction: true }, { 0: 'in a pair' });
  await until('both are there', () => hasNativeUse(outer(), card.address));
  return { disk, card };
}

/** An attach that is refused and leaves drivers and records as they were. */
async function refused(address: string, code: string): Promise<{ message: string; facts: object }> {
  const drivers = 'for link in /sys/bus/pci/devices/*/driver; do echo $link $(readlink $link); done';
  const before = [await outer().sh(drivers), await vmplug().list()];
  const error: unknown = await vmplug()
    .attach('inner', `vfio:${address}`)
    .then(
      () => 'it was attached',
      (reason: unknown) => reason,
    );
  expect(error).toMatchObject({ code });
  expect([await outer().sh(drivers), await vmplug().list()]).toEqual(before);
  expect(await vmplug().doctor()).toEqual([]);
  return error as { message: string; facts: object };
}

describe('a group of two functions', () => {
  it('goes into the VM whole and comes back whole', async (context) => {
    const { disk, card } = await addPair(0);

    const device = await vmplug().attach('inner', `vfio:${disk.address}`);
    expect([await driverOf(outer(), disk.address), await driverOf(outer(), card.address)]).toEqual([
      'vfio-pci',
      'vfio-pci',
    ]);
    const pci = device.guest.pci ?? '';
    expect(await outer().inner(readScript(pci, 0, 9))).toBe('in a pair');
    expect(await outer().inner(pingScript(card.mac))).toMatch(answered);
    const facts = { kind: 'vfio-pci (group of two functions)', machine: 'q35', qemu: '10.0.2' };
    seen(context, { ...facts, way: 'hot-plug', evidence: 'enumerated', address: 'PCI path' });

    await vmplug().detach('inner', device.id);
    expect([await driverOf(outer(), disk.address), await driverOf(outer(), card.address)]).toEqual([
      'nvme',
      'e1000e',
    ]);
    expect(await outer().sh(readScript(disk.address, 0, 9))).toBe('in a pair');
    expect(await outer().sh(pingScript(card.mac))).toMatch(answered);
    seen(context, { ...facts, way: 'unplug' });
    expect(await vmplug().doctor()).toEqual([]);
  });

  it('is refused while the host uses the other function, unless it is forced', async () => {
    const { disk, card } = await addPair(1);
    await outer().sh(
      `for net in /sys/bus/pci/devices/${card.address}/net/*; do ip link set \${net##*/} up; done`,
    );

    const { message } = await refused(disk.address, 'group-not-viable');
    expect(message).toContain(card.address);
    const device = await vmplug().attach('inner', `vfio:${disk.address}`, { force: true });
    expect(await outer().inner(pingScript(card.mac))).toMatch(answered);
    await vmplug().detach('inner', device.id);
    expect(await driverOf(outer(), card.address)).toBe('e1000e');
  });
});

describe('a group with a bridge', () => {
  it('goes into the VM without the bridge, which stays as it is', async () => {
    const device = await vmplug().attach('inner', `vfio:${bridged}`);
    expect([await driverOf(outer(), bridged), await driverOf(outer(), bridge)]).toEqual(['vfio-pci', 'none']);
    await vmplug().detach('inner', device.id);
    expect([await driverOf(outer(), bridged), await driverOf(outer(), bridge)]).toEqual(['e1000', 'none']);
  });

  it('is not asked for by its bridge', async () => {
    expect((await refused(bridge, 'source-unsuitable')).message).toMatch(/bridge/);
    expect((await refused('0000:00:10.0', 'source-unsuitable')).message).toMatch(/bridge/);
  });
});

describe('what the host uses', () => {
  it('is refused: the disk that it runs from, with force too', async () => {
    expect((await refused(bootDisk, 'source-in-use')).message).toContain(bootDisk);
    await expect(vmplug().attach('inner', `vfio:${bootDisk}`, { force: true })).rejects.toMatchObject({
      code: 'source-in-use',
    });
  });

  it('is refused: a disk with a file system that is mounted', async () => {
    const { address } = await addNvme(outer(), { port: 2 }, {}, 'ext4');
    await outer().sh(`${findDisk(address)}mkdir /run/mounted; mount -t ext4 $disk /run/mounted`);
    expect((await refused(address, 'source-in-use')).message).toContain('/run/mounted');
    await outer().sh('umount /run/mounted');
  });

  it('is refused: an address that nothing has', async () => {
    await refused('0000:33:00.0', 'pci-device-not-found');
  });
});

describe('a group that another process has open', () => {
  it('is refused, and the process is named: a program', async () => {
    const { address } = await addNvme(outer(), { port: 3 });
    await bindByHand(outer(), 'vfio-pci', [address]);
    const group = await groupOf(outer(), address);
    const pid = Number(await outer().sh(`setsid sleep 3600 9<>/dev/vfio/${group} >/dev/null 2>&1 & echo $!`));

    expect(await refused(address, 'group-held')).toMatchObject({ facts: { pid } });
    await outer().sh(`kill ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.05; done`);
    const device = await vmplug().attach('inner', `vfio:${address}`);
    await vmplug().detach('inner', device.id);
    // Somebody else had given it to vfio-pci: there it stays.
    expect(await driverOf(outer(), address)).toBe('vfio-pci');
  });

  it.for(['7', '10'] as const)('is refused, and the process is named: a VM of QEMU %s', async (qemu) => {
    const { address } = await addNvme(outer(), { port: qemu === '7' ? 4 : 5 });
    await bindByHand(outer(), 'vfio-pci', [address]);
    const other = await startFrozenVm(outer(), `holder-${qemu}`, { qemu });
    const plug = { driver: 'vfio-pci', host: address, id: 'theirs', bus: 'rp1' };
    await vmplug().tell(other.qmp, 'device_add', plug);

    expect(await refused(address, 'group-held')).toMatchObject({ facts: { pid: other.pid } });
  });
});
