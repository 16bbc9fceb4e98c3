import { describe, expect, it } from 'vitest';
import { seen } from '../seen.ts';
import { addNvme, hasNativeUse } from './devices.ts';
import { driverOf, overrideOf, readScript, writeScript } from './functions.ts';
import { innerQmp } from './machine.ts';
import { until } from './outer.ts';
import { useOuter } from './use-outer.ts';

const MiB = 1024 * 1024;

interface DeviceDocument {
  readonly id: string;
  readonly state: string;
  readonly evidence: string;
  readonly guest: { readonly pci: string };
}

describe('an NVMe disk, by the command line', () => {
  const outer = useOuter();

  it('is read and written by the VM and is the host’s again afterwards', async (context) => {
    const host = outer();
    const { address } = await addNvme(host, { port: 0 }, { 0: 'put here before', [4 * MiB]: 'and here' });
    await host.ok('sandbox', 'adopt', 'inner', '--qmp', innerQmp);

    const device = await host.ok<DeviceDocument>('attach', 'inner', `vfio:${address}`, '--timeout', '120s');
    expect(device).toMatchObject({
      kind: 'vfio',
      driver: 'vfio-pci',
      state: 'attached',
      evidence: 'enumerated',
    });
    expect(await driverOf(host, address)).toBe('vfio-pci');
    expect(await hasNativeUse(host, address)).toBe(false);

    const { pci } = device.guest;
    expect(await host.inner(readScript(pci, 0, 15))).toBe('put here before');
    expect(await host.inner(readScript(pci, 4 * MiB, 8))).toBe('and here');
    await host.inner(writeScript(pci, 8 * MiB, 'by the VM'));
    const { devices } = await host.ok<{ devices: DeviceDocument[] }>('ls');
    expect(devices).toMatchObject([{ id: device.id, state: 'attached' }]);
    const facts = { kind: 'vfio-pci (NVMe)', machine: 'q35', qemu: '10.0.2' } as const;
    seen(context, { ...facts, way: 'hot-plug', evidence: 'enumerated', address: 'PCI path' });

    expect(await host.ok('detach', 'inner', device.id, '--timeout', '120s')).toMatchObject({
      state: 'released',
    });
    expect([await driverOf(host, address), await overrideOf(host, address)]).toEqual(['nvme', '(null)']);
    await until('the disk is back', () => hasNativeUse(host, address));
    expect(await host.sh(readScript(address, 8 * MiB, 9))).toBe('by the VM');
    seen(context, { ...facts, way: 'unplug' });
    expect(await host.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});
