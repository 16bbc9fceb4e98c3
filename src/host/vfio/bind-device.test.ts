import { describe, expect, it } from 'vitest';
import { bindDevicetoHost, bindDevicetoVFIO } from './bind-device.ts';
import { fakeSysfs, type FakeSysfs } from './sysfs.testing.ts';

const ids = '0x8086 0x10d3';

function nic(): FakeSysfs {
  const host = fakeSysfs();
  host.addFunction('0000:02:00.0', { group: '10', driver: 'e1000e' });
  host.addFunction('0000:02:00.1', { group: '10', driver: 'e1000e' });
  return host;
}

describe('a physical NIC', () => {
  it('is given to vfio-pci, which returns the node of its group, and back', async () => {
    using host = nic();
    expect(await bindDevicetoVFIO('0000:02:00.0', 'e1000e', ids, host.io, host)).toBe('/dev/vfio/10');
    expect(host.binding('0000:02:00.0')).toBe('vfio-pci|vfio-pci');
    await bindDevicetoHost('0000:02:00.0', 'e1000e', ids, host.io, host);
    expect(host.binding('0000:02:00.0')).toBe('e1000e|none');
  });

  it('W71: takes its twin along in neither direction', async () => {
    using host = nic();
    await bindDevicetoVFIO('0000:02:00.0', 'e1000e', ids, host.io, host);
    expect(host.binding('0000:02:00.1')).toBe('e1000e|none');
    expect(host.writes.filter((write) => /new_id|remove_id/.test(write))).toEqual([]);
  });

  it.each([1, 2, 3])('W54: that cannot be bound at write %i is left as it was', async (failing) => {
    using host = nic();
    host.faults[failing - 1] = 'fails';
    await expect(bindDevicetoVFIO('0000:02:00.0', 'e1000e', ids, host.io, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
    expect(host.binding('0000:02:00.0')).toBe('e1000e|none');
  });

  it('W54: that the driver of the host does not take stays with vfio-pci', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '10', driver: 'vfio-pci', refusedBy: ['e1000e'] });
    host.addDriver('e1000e');
    await expect(bindDevicetoHost('0000:02:00.0', 'e1000e', ids, host.io, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
    expect(host.binding('0000:02:00.0')).toBe('vfio-pci|none');
  });

  it('without an IOMMU is not touched', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { driver: 'e1000e' });
    await expect(bindDevicetoVFIO('0000:02:00.0', 'e1000e', ids, host.io, host)).rejects.toMatchObject({
      code: 'no-iommu',
    });
    expect(host.writes).toEqual([]);
  });

  it.each([
    ['0000:33:00.0', 'e1000e', ids, 'pci-device-not-found'],
    ['zz', 'e1000e', ids, 'invalid-argument'],
    ['0000:02:00.0', 'e1000e', '0x8086 0x10ca', 'invalid-argument'],
    ['0000:02:00.0', '..', ids, 'invalid-argument'],
    ['0000:02:00.0', 'ixgbe', ids, 'unsupported'],
  ])('%s for %s with the ids %s: %s, nothing changed', async (bdf, driver, ids, code) => {
    using host = nic();
    await expect(bindDevicetoHost(bdf, driver, ids, host.io, host)).rejects.toMatchObject({ code });
    expect(host.writes).toEqual([]);
  });
});
