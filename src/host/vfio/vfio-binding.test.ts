import { describe, expect, it } from 'vitest';
import { fakeSysfs, type FakeSysfs } from './sysfs.testing.ts';
import { bindGroupToVfio, releaseGroup } from './vfio-binding.ts';

/** A group of two functions on drivers of the host, and the bridge before them. */
function groupOfTwo(): FakeSysfs {
  const host = fakeSysfs();
  host.addFunction('0000:04:00.0', { group: '12', driver: 'nvme' });
  host.addFunction('0000:04:00.1', { group: '12', driver: 'e1000e', override: 'e1000e' });
  host.addFunction('0000:03:00.0', { group: '12', class: '0x060400', driver: 'pcieport' });
  return host;
}

const before = ['nvme|none', 'e1000e|e1000e', 'pcieport|none'];

function bindings(host: FakeSysfs): string[] {
  return ['0000:04:00.0', '0000:04:00.1', '0000:03:00.0'].map((address) => host.binding(address));
}

describe('giving a group to vfio-pci', () => {
  it('moves every function, leaves the bridge, and back', async () => {
    using host = groupOfTwo();
    const lease = await bindGroupToVfio('12', host.io, host);
    expect(bindings(host)).toEqual(['vfio-pci|vfio-pci', 'vfio-pci|vfio-pci', 'pcieport|none']);
    expect(lease).toEqual({
      group: '12',
      functions: [
        { address: '0000:04:00.0', driver: 'nvme', override: null },
        { address: '0000:04:00.1', driver: 'e1000e', override: 'e1000e' },
      ],
    });
    await releaseGroup(JSON.parse(JSON.stringify(lease)), host.io, host);
    expect(bindings(host)).toEqual(before);
  });

  it('W71: takes no other function with the same ids', async () => {
    using host = groupOfTwo();
    host.addFunction('0000:09:00.0', { group: '30', driver: 'nvme' });
    host.addFunction('0000:09:00.1', { group: '31' });
    await bindGroupToVfio('12', host.io, host);
    expect(host.binding('0000:09:00.0')).toBe('nvme|none');
    expect(host.binding('0000:09:00.1')).toBe('none|none');
    expect(host.writes.filter((write) => write.includes('new_id'))).toEqual([]);
  });

  it('leaves a function that vfio-pci or a variant of it has, also when it is given back', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:04:00.0', { group: '12', driver: 'vfio-pci' });
    host.addFunction('0000:04:00.1', { group: '12', driver: 'mlx5_vfio_pci' });
    const lease = await bindGroupToVfio('12', host.io, host);
    await releaseGroup(lease, host.io, host);
    expect(lease.functions).toEqual([]);
    expect(host.writes).toEqual([]);
  });

  it('gives a virtual function back to its driver where probing is off', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:03:10.0', { group: '15', driver: 'igbvf', noAutoprobe: true });
    await releaseGroup(await bindGroupToVfio('15', host.io, host), host.io, host);
    expect(host.binding('0000:03:10.0')).toBe('igbvf|none');
  });

  it('gives a function back to the driver that it had, not to the one that matches it first', async () => {
    using host = fakeSysfs();
    host.addDriver('nouveau');
    host.addFunction('0000:01:00.0', { group: '1', driver: 'nvidia', native: 'nouveau' });
    await releaseGroup(await bindGroupToVfio('1', host.io, host), host.io, host);
    expect(host.binding('0000:01:00.0')).toBe('nvidia|none');
  });

  it('needs vfio-pci loaded, and changes nothing without it', async () => {
    using host = groupOfTwo();
    host.removeDriver('vfio-pci');
    await expect(bindGroupToVfio('12', host.io, host)).rejects.toMatchObject({
      code: 'unsupported',
      hint: 'modprobe vfio-pci',
    });
    expect(host.writes).toEqual([]);
  });

  it('W10: moves the function of the domain it was given', async () => {
    using host = fakeSysfs();
    host.addFunction('10000:01:00.0', { group: '20', driver: 'nvme' });
    host.addFunction('0000:01:00.0', { group: '21', driver: 'nvme' });
    await bindGroupToVfio('20', host.io, host);
    expect(host.binding('10000:01:00.0')).toBe('vfio-pci|vfio-pci');
    expect(host.binding('0000:01:00.0')).toBe('nvme|none');
  });
});

describe('a failure while a group is given to vfio-pci', () => {
  it('W54: of the second function puts the first back', async () => {
    using host = groupOfTwo();
    host.faults = ['none', 'none', 'none', 'none', 'fails'];
    await expect(bindGroupToVfio('12', host.io, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      reason: expect.stringContaining('every function is as it was before'),
    });
    expect(bindings(host)).toEqual(before);
  });

  it('W54: that the kernel does not report is seen by the missing link', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '10', driver: 'nvme', refusedBy: ['vfio-pci'] });
    await expect(bindGroupToVfio('10', host.io, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      reason: expect.stringContaining('it has no driver, driver_override vfio-pci instead'),
    });
    expect(host.binding('0000:02:00.0')).toBe('nvme|none');
  });

  it('says which function is where when it cannot be put back', async () => {
    using host = groupOfTwo();
    host.faults = ['none', 'none', 'fails', 'fails'];
    await expect(bindGroupToVfio('12', host.io, host)).rejects.toMatchObject({
      code: 'outcome-unknown',
      reason: expect.stringContaining(
        '0000:04:00.0 has no driver, driver_override vfio-pci, and before driver nvme, no driver_override',
      ),
      facts: { '0000:04:00.0': 'no driver, driver_override vfio-pci' },
    });
    expect(bindings(host)).toEqual(['none|vfio-pci', 'e1000e|e1000e', 'pcieport|none']);
  });

  it('asks a function that the kernel is still moving nothing more', async () => {
    using host = groupOfTwo();
    host.faults = ['none', 'none', 'none', 'none', 'never-ends'];
    await expect(bindGroupToVfio('12', host.io, host)).rejects.toMatchObject({
      code: 'outcome-unknown',
      facts: { '0000:04:00.1': 'a driver that cannot be told now' },
    });
    const [last] = host.writes.toReversed();
    expect(last).toBe('0000:04:00.0/driver_override=\n');
    expect(host.binding('0000:04:00.0')).toBe('nvme|none');
    expect(host.writes.filter((write) => write.startsWith('0000:04:00.1'))).toEqual([
      '0000:04:00.1/driver_override=vfio-pci',
      '0000:04:00.1/driver/unbind=0000:04:00.1',
    ]);
  });

  it('is also the caller giving up between two functions', async () => {
    using host = groupOfTwo();
    const controller = new AbortController();
    const io = {
      ...host.io,
      write: async (path: string, text: string) => {
        controller.abort();
        await host.io.write(path, text);
      },
    };
    const options = { hooks: host.hooks, signal: controller.signal };
    await expect(bindGroupToVfio('12', io, options)).rejects.toMatchObject({ code: 'aborted' });
    expect(bindings(host)).toEqual(before);
  });

  it('that leaves a function unreadable before it begins changes nothing', async () => {
    using host = groupOfTwo();
    const read = (): Promise<string> => Promise.reject(new Error('no driver_override'));
    await expect(bindGroupToVfio('12', { ...host.io, read }, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
    expect(host.writes).toEqual([]);
  });
});

describe('giving a group back', () => {
  it('goes on after a function that fails, and can be repeated for it', async () => {
    using host = groupOfTwo();
    const lease = await bindGroupToVfio('12', host.io, host);
    host.writes.length = 0;
    host.faults = ['fails'];
    await expect(releaseGroup(lease, host.io, host)).rejects.toMatchObject({
      code: 'outcome-unknown',
      facts: { '0000:04:00.0': 'driver vfio-pci, driver_override vfio-pci' },
    });
    expect(bindings(host)).toEqual(['vfio-pci|vfio-pci', 'e1000e|e1000e', 'pcieport|none']);
    await releaseGroup(lease, host.io, host);
    expect(bindings(host)).toEqual(before);
  });

  it('leaves alone what is gone and what somebody gave to another driver', async () => {
    using host = groupOfTwo();
    const lease = await bindGroupToVfio('12', host.io, host);
    host.remove('0000:04:00.0');
    host.remove('0000:04:00.1');
    host.addFunction('0000:04:00.1', { driver: 'uio_pci_generic', override: 'uio_pci_generic' });
    await releaseGroup(lease, host.io, host);
    expect(host.binding('0000:04:00.1')).toBe('uio_pci_generic|uio_pci_generic');
  });
});
