import { beforeAll, describe, expect, it } from 'vitest';
import { seen } from '../seen.ts';
import { endFrozenVm, startFrozenVm } from './frozen-vm.ts';
import { loadMtty, loopBackScript, makeMediated, mediatedDriver, removeScript } from './mediated.ts';
import { until } from './outer.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

const outer = useOuter();
const vmplug = useLibrary(outer);
beforeAll(async () => await loadMtty(outer()));

/** A UUID of its own for each test. */
function uuidOf(test: number): string {
  return `83b8f4f2-509f-382f-3c1e-0000000000${test.toString().padStart(2, '0')}`;
}

describe('a mediated device', () => {
  it('goes into the VM and out again, stays, and does so again', async (context) => {
    const uuid = uuidOf(1);
    await makeMediated(outer(), uuid);

    for (const words of ['first words', 'other words']) {
      const device = await vmplug().attach('inner', `mdev:${uuid}`);
      expect(device).toMatchObject({
        state: 'attached',
        kind: 'vfio',
        driver: 'vfio-pci',
        evidence: 'enumerated',
      });
      const { pci = '' } = device.guest;
      expect(await outer().inner(`cat /sys/bus/pci/devices/${pci}/vendor`)).toBe('0x4348');
      expect(await outer().inner(loopBackScript(pci, words))).toBe(words);

      expect(await vmplug().detach('inner', device.id)).toMatchObject({ state: 'released' });
      expect(await outer().inner(`[ ! -e /sys/bus/pci/devices/${pci} ]`)).toBe('');
      expect(await mediatedDriver(outer(), uuid)).toBe('mtty');
    }
    const facts = { kind: 'vfio-pci (mediated device)', machine: 'q35', qemu: '10.0.2' } as const;
    seen(context, { ...facts, way: 'hot-plug', evidence: 'enumerated', address: 'PCI path' });
    seen(context, { ...facts, way: 'unplug' });
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);

    await outer().sh(removeScript(uuid));
    await expect(vmplug().attach('inner', `mdev:${uuid}`)).rejects.toMatchObject({
      code: 'pci-device-not-found',
      hint: expect.stringContaining('create'),
    });
  });

  it('that another VM has is refused, and that one is named', async () => {
    const uuid = uuidOf(2);
    await makeMediated(outer(), uuid);
    const other = await startFrozenVm(outer(), 'holder');
    const args = { driver: 'vfio-pci', id: 'own', bus: 'rp1', sysfsdev: `/sys/bus/mdev/devices/${uuid}` };
    await vmplug().tell(other.qmp, 'device_add', args);

    await expect(vmplug().attach('inner', `mdev:${uuid}`)).rejects.toMatchObject({
      code: 'group-held',
      facts: expect.objectContaining({ pid: other.pid }),
    });
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);

    await endFrozenVm(outer(), other);
    const device = await vmplug().attach('inner', `mdev:${uuid}`);
    await vmplug().detach('inner', device.id);
  });

  it('that no driver has is refused with how it gets one', async () => {
    const uuid = uuidOf(3);
    await makeMediated(outer(), uuid);
    await outer().sh(`echo ${uuid} >/sys/bus/mdev/drivers/mtty/unbind`);
    expect(await mediatedDriver(outer(), uuid)).toBe('none');

    await expect(vmplug().attach('inner', `mdev:${uuid}`)).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: expect.stringContaining(`echo ${uuid} > /sys/bus/mdev/drivers/`),
    });
    expect(await vmplug().list()).toEqual([]);
  });

  it('that is removed while a VM has it goes when the VM has let go of it', async () => {
    const uuid = uuidOf(4);
    await makeMediated(outer(), uuid);
    const device = await vmplug().attach('inner', `mdev:${uuid}`);
    const writer = await outer().sh(`setsid sh -c '${removeScript(uuid)}' >/dev/null 2>&1 & echo $!`);
    await until('its removal has begun', async () => (await mediatedDriver(outer(), uuid)) === 'gone');

    expect(await vmplug().inspect(device.id)).toMatchObject({ observation: { present: true } });
    expect(await vmplug().detach('inner', device.id)).toMatchObject({ state: 'released' });
    await outer().sh(`while kill -0 ${writer} 2>/dev/null; do sleep 0.1; done`);
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);
  });
});
