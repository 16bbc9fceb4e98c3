import { describe, expect, it } from 'vitest';
import { addNvme } from './devices.ts';
import { driverOf, readScript } from './functions.ts';
import { innerMonitor } from './machine.ts';
import { until } from './outer.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

const outer = useOuter();
const vmplug = useLibrary(outer);

const remove = (address: string): string => `echo 1 >/sys/bus/pci/devices/${address}/remove`;
const rescan = 'echo 1 >/sys/bus/pci/rescan';

describe('a device that vanishes from the host while a VM uses it', () => {
  it('removed by hand: the record says so, detach frees it, and it comes back with its own driver', async () => {
    const { address } = await addNvme(outer(), { port: 0 }, { 0: 'still here' });
    const device = await vmplug().attach('inner', `vfio:${address}`);
    await outer().inner(readScript(device.guest.pci ?? '', 0, 10));

    await outer().sh(remove(address));
    expect(await driverOf(outer(), address)).toBe('gone');
    expect((await vmplug().inspect(device.id)).observation).toMatchObject({ present: false });
    expect(await vmplug().doctor()).toContainEqual(
      expect.objectContaining({ problem: 'vanished', device: device.id }),
    );
    expect(await vmplug().detach('inner', device.id)).toMatchObject({ state: 'released' });
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);

    await outer().sh(rescan);
    expect(await driverOf(outer(), address)).toBe('nvme');
    expect(await outer().sh(readScript(address, 0, 10))).toBe('still here');
    const again = await vmplug().attach('inner', `vfio:${address}`);
    await vmplug().detach('inner', again.id);
    expect(await driverOf(outer(), address)).toBe('nvme');
  });

  it('pulled out of its slot: doctor mends the records', async () => {
    const { id, address } = await addNvme(outer(), { port: 1 });
    const device = await vmplug().attach('inner', `vfio:${address}`);

    await outer().qmp.execute('device_del', { id });
    await until('it is gone', async () => (await driverOf(outer(), address)) === 'gone');
    expect(await vmplug().doctor(true)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ problem: 'vanished', device: device.id, repaired: true }),
        expect.objectContaining({ problem: 'lease-vanished', device: device.id, repaired: true }),
      ]),
    );
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);
  });

  it('given back by hand behind our back: the VM lets go of it, and so do the records', async () => {
    const { address } = await addNvme(outer(), { port: 3 });
    const device = await vmplug().attach('inner', `vfio:${address}`);

    await outer().sh(`echo ${address} >/sys/bus/pci/drivers/vfio-pci/unbind`);
    expect(await vmplug().doctor(true)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ problem: 'vanished', device: device.id, repaired: true }),
        expect.objectContaining({ problem: 'not-given-back', device: device.id, repaired: true }),
      ]),
    );
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);
    expect(await driverOf(outer(), address)).toBe('nvme');
  });

  it('while the VM is paused: it stays until the VM goes on, and then it is settled', async () => {
    const { address } = await addNvme(outer(), { port: 2 });
    const device = await vmplug().attach('inner', `vfio:${address}`);
    await vmplug().tell(innerMonitor, 'stop');
    await using atTheEnd = new AsyncDisposableStack();
    atTheEnd.defer(async () => void (await vmplug().tell(innerMonitor, 'cont')));
    const writer = await outer().sh(
      `setsid sh -c 'echo 1 >/sys/bus/pci/devices/${address}/remove' >/dev/null 2>&1 & echo $!`,
    );

    await expect(vmplug().detach('inner', device.id, 5000)).rejects.toMatchObject({ code: 'vm-paused' });
    // The kernel has taken it from its driver, which waits for the VM.
    expect(await driverOf(outer(), address)).toBe('none');
    expect(await vmplug().list()).toMatchObject([{ id: device.id }]);

    await atTheEnd.disposeAsync();
    await outer().sh(`while kill -0 ${writer} 2>/dev/null; do sleep 0.1; done`);
    expect(await driverOf(outer(), address)).toBe('gone');
    // The host has it back a moment before QEMU says that it has let go.
    await until('the records follow', async () => {
      await vmplug().doctor(true);
      return (await vmplug().list()).length === 0;
    });
    expect(await vmplug().doctor()).toEqual([]);
  });
});
