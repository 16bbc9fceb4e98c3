import { describe, expect, it } from 'vitest';
import { addNvme } from './devices.ts';
import { endFrozenVm, startFrozenVm } from './frozen-vm.ts';
import { bindByHand, driverOf, groupOf } from './functions.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

const outer = useOuter();
const vmplug = useLibrary(outer);
const MiB = 1024 * 1024;

/** What a VM without a running guest can still show of a device. */
const acknowledged = { wait: 'acknowledged' } as const;

describe.for(['7', '10'] as const)('QEMU %s', (qemu) => {
  const port = qemu === '7' ? 0 : 2;

  it('that may not lock its memory is refused with how much it needs, and takes the device once it may', async () => {
    const { address } = await addNvme(outer(), { port });
    await bindByHand(outer(), 'vfio-pci', [address]);
    await outer().sh(`chown 1000 /dev/vfio/${await groupOf(outer(), address)}`);
    const vm = await startFrozenVm(outer(), `small-${qemu}`, { qemu, memlock: 8 * MiB });
    await vmplug().adopt(`small-${qemu}`, vm.qmp);

    await expect(vmplug().attach(`small-${qemu}`, `vfio:${address}`, acknowledged)).rejects.toMatchObject({
      code: 'memlock-too-small',
      hint: expect.stringMatching(/prlimit|ulimit|LimitMEMLOCK/),
    });
    expect(await vmplug().list()).toEqual([]);

    await outer().sh(`/usr/bin/prlimit --pid ${vm.pid} --memlock=${80 * MiB}:${80 * MiB}`);
    const device = await vmplug().attach(`small-${qemu}`, `vfio:${address}`, acknowledged);
    expect(device).toMatchObject({ state: 'attached', evidence: 'acknowledged' });
    await endFrozenVm(outer(), vm);
    await vmplug().detach(`small-${qemu}`, device.id);
    await vmplug().forget(`small-${qemu}`);
  });

  it('that may not open the group says who may', async () => {
    const { address } = await addNvme(outer(), { port: port + 1 });
    const vm = await startFrozenVm(outer(), `other-${qemu}`, { qemu, memlock: 80 * MiB });
    await vmplug().adopt(`other-${qemu}`, vm.qmp);

    await expect(vmplug().attach(`other-${qemu}`, `vfio:${address}`, acknowledged)).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: expect.stringContaining('chown'),
    });
    // What was bound for it is given back.
    expect(await driverOf(outer(), address)).toBe('nvme');
    expect([await vmplug().list(), await vmplug().doctor()]).toEqual([[], []]);
  });
});
