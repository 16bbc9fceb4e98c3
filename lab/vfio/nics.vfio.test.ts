import { describe, expect, it } from 'vitest';
import { seen } from '../seen.ts';
import { addNic } from './devices.ts';
import { bindByHand, driverOf, overrideOf } from './functions.ts';
import { answered, makeVirtualFunctions, pingScript } from './network.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

const outer = useOuter();
const vmplug = useLibrary(outer);
const inQemu = { machine: 'q35', qemu: '10.0.2' } as const;

describe('an e1000e network card', () => {
  it('sends frames from the VM, and from the host afterwards', async (context) => {
    const { address, mac } = await addNic(outer(), 'e1000e', { port: 0 });

    const device = await vmplug().attach('inner', `vfio:${address}`);
    expect(device).toMatchObject({ state: 'attached', driver: 'vfio-pci', evidence: 'enumerated' });
    expect(await outer().inner(pingScript(mac))).toMatch(answered);
    const facts = { ...inQemu, kind: 'vfio-pci (network card)' };
    seen(context, { ...facts, way: 'hot-plug', evidence: 'enumerated', address: 'PCI path' });

    expect(await vmplug().detach('inner', device.id)).toMatchObject({ state: 'released' });
    expect(await driverOf(outer(), address)).toBe('e1000e');
    expect(await outer().sh(pingScript(mac))).toMatch(answered);
    seen(context, { ...facts, way: 'unplug' });
    expect(await vmplug().doctor()).toEqual([]);
  });
});

describe('a virtual function of an SR-IOV card', () => {
  it('sends frames from the VM, and from the host afterwards', async (context) => {
    const card = await addNic(outer(), 'igb', { port: 1 });
    const mac = '52:54:00:0b:00:01';
    const [address = '', other = ''] = await makeVirtualFunctions(outer(), card.address, [
      mac,
      '52:54:00:0b:00:02',
    ]);

    const device = await vmplug().attach('inner', `vfio:${address}`);
    expect(await outer().inner(pingScript(mac))).toMatch(answered);
    expect([await driverOf(outer(), card.address), await driverOf(outer(), other)]).toEqual(['igb', 'igbvf']);
    const facts = { ...inQemu, kind: 'vfio-pci (SR-IOV virtual function)' };
    seen(context, { ...facts, way: 'hot-plug', evidence: 'enumerated', address: 'PCI path' });

    await vmplug().detach('inner', device.id);
    expect(await driverOf(outer(), address)).toBe('igbvf');
    expect(await outer().sh(pingScript(mac))).toMatch(answered);
    seen(context, { ...facts, way: 'unplug' });
  });

  it('gets its driver back where the host probes for none, and none where it had none', async () => {
    const card = await addNic(outer(), 'igb', { port: 2 });
    const macs = ['52:54:00:0b:01:01', '52:54:00:0b:01:02'];
    const [driven = '', driverless = ''] = await makeVirtualFunctions(outer(), card.address, macs, 0);
    await bindByHand(outer(), 'igbvf', [driven]);
    await outer().sh(`echo >/sys/bus/pci/devices/${driven}/driver_override`);
    expect([await driverOf(outer(), driven), await driverOf(outer(), driverless)]).toEqual(['igbvf', 'none']);

    for (const address of [driven, driverless]) {
      const device = await vmplug().attach('inner', `vfio:${address}`);
      expect(await driverOf(outer(), address)).toBe('vfio-pci');
      await vmplug().detach('inner', device.id);
    }
    expect([await driverOf(outer(), driven), await driverOf(outer(), driverless)]).toEqual(['igbvf', 'none']);
    expect([await overrideOf(outer(), driven), await overrideOf(outer(), driverless)]).toEqual([
      '(null)',
      '(null)',
    ]);
  });

  it('that the host takes away leaves the VM, and its record says so', async () => {
    const card = await addNic(outer(), 'igb', { port: 3 });
    const [address = ''] = await makeVirtualFunctions(outer(), card.address, ['52:54:00:0b:02:01']);
    const device = await vmplug().attach('inner', `vfio:${address}`);

    await outer().sh(`echo 0 >/sys/bus/pci/devices/${card.address}/sriov_numvfs`);
    expect(await vmplug().doctor()).toContainEqual(
      expect.objectContaining({ problem: 'vanished', device: device.id }),
    );
    expect(await vmplug().detach('inner', device.id)).toMatchObject({ state: 'released' });
    expect(await vmplug().doctor()).toEqual([]);
  });
});
