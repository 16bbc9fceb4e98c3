import { describe, expect, it } from 'vitest';
import { addNic, addNvme, hasNativeUse } from './devices.ts';
import { driverOf, overrideOf } from './functions.ts';
import { innerQmp } from './machine.ts';
import { until } from './outer.ts';
import { useOuter } from './use-outer.ts';

describe('vmplug that is killed while it gives a group to vfio-pci', () => {
  const outer = useOuter();

  it('leaves what doctor gives back', async () => {
    const host = outer();
    const card = await addNic(host, 'e1000e', { port: 0, function: 1 });
    const disk = await addNvme(host, { port: 0, multifunction: true });
    await until('both are there', () => hasNativeUse(host, card.address));
    await host.ok('sandbox', 'adopt', 'inner', '--qmp', innerQmp);

    // The first function has left its driver then, and the second one comes after it.
    await host.sh(`/checkout/bin/vmplug attach inner vfio:${disk.address} >/dev/null 2>&1 &
while [ -e /sys/bus/pci/drivers/nvme/${disk.address} ]; do :; done
kill -9 $!
wait $! || true`);
    expect(await driverOf(host, disk.address)).not.toBe('nvme');
    expect(await driverOf(host, card.address)).toBe('e1000e');

    const found = await host.vmplug('doctor', '--json');
    expect(found.code).not.toBe(0);
    await host.vmplug('doctor', '--repair', '--json');
    expect(await host.ok('doctor')).toMatchObject({ ok: true, findings: [] });
    for (const [address, driver] of [
      [disk.address, 'nvme'],
      [card.address, 'e1000e'],
    ] as const) {
      expect([await driverOf(host, address), await overrideOf(host, address)]).toEqual([driver, '(null)']);
    }
    expect(await host.ok('ls')).toMatchObject({ devices: [] });
  });
});
