import { describe, expect, it } from 'vitest';
import { addNvme } from './devices.ts';
import { endFrozenVm, startFrozenVm } from './frozen-vm.ts';
import { driverOf } from './functions.ts';
import { useOuter } from './use-outer.ts';

/** What a VM without a running guest can still show of a device. */
const acknowledged = { wait: 'acknowledged' } as const;

describe('a host without an IOMMU', () => {
  const outer = useOuter('off');

  it('is refused with how to turn it on, and nothing is changed', async () => {
    const { address } = await addNvme(outer(), { port: 0 });
    const vm = await startFrozenVm(outer(), 'vm');
    const vmplug = await outer().library();
    await vmplug.adopt('vm', vm.qmp);

    await expect(vmplug.attach('vm', `vfio:${address}`, acknowledged)).rejects.toMatchObject({
      code: 'no-iommu',
      hint: expect.stringContaining('intel_iommu=on'),
    });
    expect(await driverOf(outer(), address)).toBe('nvme');
    expect([await vmplug.list(), await vmplug.doctor()]).toEqual([[], []]);
  });
});

describe('a host that does not remap interrupts', () => {
  const outer = useOuter('no-interrupt-remapping');

  it.for(['7', '10'] as const)(
    'is refused unless the kernel is told to take the risk: QEMU %s',
    async (qemu) => {
      const { address } = await addNvme(outer(), { port: qemu === '7' ? 0 : 1 });
      const vm = await startFrozenVm(outer(), `vm-${qemu}`, { qemu });
      const vmplug = await outer().library();
      await vmplug.adopt(`vm-${qemu}`, vm.qmp);
      const setRisk = (value: 0 | 1): Promise<string> =>
        outer().sh(`echo ${value} >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts`);

      await expect(vmplug.attach(`vm-${qemu}`, `vfio:${address}`, acknowledged)).rejects.toMatchObject({
        code: 'no-interrupt-remapping',
        hint: expect.stringContaining('allow_unsafe_interrupts'),
      });
      expect(await driverOf(outer(), address)).toBe('nvme');
      expect([await vmplug.list(), await vmplug.doctor()]).toEqual([[], []]);

      await setRisk(1);
      const device = await vmplug.attach(`vm-${qemu}`, `vfio:${address}`, acknowledged);
      expect(device).toMatchObject({ state: 'attached' });
      await setRisk(0);
      await endFrozenVm(outer(), vm);
      await vmplug.detach(`vm-${qemu}`, device.id);
      await vmplug.forget(`vm-${qemu}`);
      expect(await driverOf(outer(), address)).toBe('nvme');
    },
  );
});
