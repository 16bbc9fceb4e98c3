import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveVfioGroup } from './resolve-vfio.ts';
import { fakeSysfs } from './sysfs.testing.ts';

const uuid = 'f79944e4-5a3d-11e8-99ce-000000000001';

describe('a VFIO source', () => {
  it.each(['vfio:0000:02:00.0', 'vfio:02:00.0', '/dev/vfio/10', 'vfio:/dev/vfio/10'])(
    '%s is the group of its device',
    async (source) => {
      using host = fakeSysfs();
      host.addFunction('0000:02:00.0', { group: '10', driver: 'vfio-pci', vendor: '0x144d' });
      host.addGroupNode('10');
      expect(await resolveVfioGroup(source, host)).toEqual({
        kind: 'vfio',
        source,
        group: '10',
        functions: [
          {
            type: 1,
            address: '0000:02:00.0',
            sysfsDev: `${host.paths.sys}/devices/pci0000:00/0000:02:00.0`,
            vendorId: '0x144d',
            deviceId: '0x10d3',
            classCode: '0x020000',
            isPcie: true,
          },
        ],
        identities: [
          { key: 'iommu-group:10', mode: 'exclusive' },
          { key: 'pci:0000:02:00.0', mode: 'exclusive' },
        ],
        readOnly: false,
        shareRw: false,
      });
    },
  );

  it('brings every function of the group, by address', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:04:00.1', { group: '12', driver: 'vfio-pci' });
    host.addFunction('0000:04:00.0', { group: '12', driver: 'mlx5_vfio_pci' });
    host.addGroupNode('12');
    const { functions, identities } = await resolveVfioGroup('vfio:0000:04:00.1', host);
    expect(functions.map(({ address }) => address)).toEqual(['0000:04:00.0', '0000:04:00.1']);
    expect(identities.map(({ key }) => key)).toEqual([
      'iommu-group:12',
      'pci:0000:04:00.0',
      'pci:0000:04:00.1',
    ]);
  });

  it('W10: is found in its own domain, and in no other', async () => {
    using host = fakeSysfs();
    host.addFunction('10000:01:00.0', { group: '20', driver: 'vfio-pci' });
    host.addGroupNode('20');
    const { functions, identities } = await resolveVfioGroup('vfio:10000:01:00.0', host);
    expect(functions[0]).toMatchObject({ address: '10000:01:00.0', isPcie: true });
    expect(identities.map(({ key }) => key)).toEqual(['iommu-group:20', 'pci:10000:01:00.0']);
    await expect(resolveVfioGroup('vfio:01:00.0', host)).rejects.toMatchObject({
      code: 'pci-device-not-found',
    });
  });

  it('W11: does without its bridges, whatever driver they have', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:05:00.0', { group: '13', class: '0x060400', driver: 'pcieport' });
    host.addFunction('0000:06:01.0', { group: '13', driver: 'vfio-pci' });
    host.addGroupNode('13');
    const { functions } = await resolveVfioGroup('vfio:0000:06:01.0', host);
    expect(functions.map(({ address }) => address)).toEqual(['0000:06:01.0']);
  });

  it('W11: with a function on a driver of the host or on none is refused, and both are named', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:04:00.0', { group: '12', driver: 'vfio-pci' });
    host.addFunction('0000:04:00.1', { group: '12', driver: 'e1000e' });
    host.addFunction('0000:04:00.2', { group: '12' });
    host.addGroupNode('12');
    await expect(resolveVfioGroup('vfio:0000:04:00.0', host)).rejects.toMatchObject({
      code: 'group-not-viable',
      reason: expect.stringMatching(/0000:04:00\.1 has e1000e, 0000:04:00\.2 has no driver$/),
      hint: expect.stringContaining('give 0000:04:00.1, 0000:04:00.2 to vfio-pci'),
      facts: { group: '12', '0000:04:00.1': 'e1000e', '0000:04:00.2': null },
    });
  });

  it('without an IOMMU says how to turn it on', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { driver: 'vfio-pci' });
    await expect(resolveVfioGroup('vfio:0000:02:00.0', host)).rejects.toMatchObject({
      code: 'no-iommu',
      hint: expect.stringContaining('intel_iommu=on'),
    });
  });

  it('that the IOMMU does not reach is told from no IOMMU', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { driver: 'vfio-pci' });
    host.addFunction('0000:03:00.0', { driver: 'vfio-pci', group: '1' });
    await expect(resolveVfioGroup('vfio:0000:02:00.0', host)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
  });

  it('that is a bridge is refused', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:00:1c.0', { group: '3', class: '0x060400' });
    await expect(resolveVfioGroup('vfio:0000:00:1c.0', host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      reason: expect.stringContaining('bridge'),
    });
  });

  it('whose node is missing is refused', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '10', driver: 'vfio-pci' });
    host.addGroupNode('11');
    await expect(resolveVfioGroup('vfio:0000:02:00.0', host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      reason: expect.stringContaining(join(host.paths.dev, 'vfio/10')),
    });
  });

  it.each(['vfio:0000:33:00.0', '/dev/vfio/99', `mdev:${uuid}`, `vfio-ap:${uuid}`])(
    '%s, which this host does not have, is not found',
    async (source) => {
      using host = fakeSysfs();
      await expect(resolveVfioGroup(source, host)).rejects.toMatchObject({ code: 'pci-device-not-found' });
    },
  );

  it.each([
    '',
    'vfio:',
    'vfio:zz',
    'vfio:/dev/vfio/vfio',
    '/dev/vfio/vfio',
    '/dev/vfio/',
    '/dev/vfio/12/3',
    '/dev/vfio/../12',
    '/dev/vfio/012',
    '/dev/sda',
    'mdev:',
    'mdev:../x',
    `mdev:${uuid}0`,
    'vfio-ap:test',
    'pci:0000:02:00.0',
  ])('%j is none', async (source) => {
    using host = fakeSysfs();
    await expect(resolveVfioGroup(source, host)).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('is not looked up for a caller who gave up', async () => {
    using host = fakeSysfs();
    const options = { ...host, signal: AbortSignal.abort() };
    await expect(resolveVfioGroup('/dev/vfio/1', options)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('a mediated device', () => {
  it.each([
    ['mdev', 'nvidia-vgpu-vfio', false, 2],
    ['vfio-ap', 'vfio_ap_mdev', true, 3],
  ])('%s: is a group of its own, known by its UUID', async (scheme, driver, ap, type) => {
    using host = fakeSysfs();
    host.addMediated(uuid, { group: '7', driver, ap });
    host.addGroupNode('7');
    const { functions, identities } = await resolveVfioGroup(`${scheme}:${uuid.toUpperCase()}`, host);
    expect(functions).toHaveLength(1);
    expect(functions[0]).toMatchObject({ type, address: uuid, isPcie: false, classCode: '' });
    expect(functions[0].sysfsDev).toMatch(new RegExp(`^${host.paths.sys}/devices/.*/${uuid}$`));
    expect(identities.map(({ key }) => key)).toEqual(['iommu-group:7', `mdev:${uuid}`]);
  });

  it('that is not of the AP bus is refused as one', async () => {
    using host = fakeSysfs();
    host.addMediated(uuid, { group: '7', driver: 'vfio_mdev' });
    host.addGroupNode('7');
    await expect(resolveVfioGroup(`vfio-ap:${uuid}`, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: `write mdev:${uuid}`,
    });
  });

  it('without a driver is not viable', async () => {
    using host = fakeSysfs();
    host.addMediated(uuid, { group: '7' });
    host.addGroupNode('7');
    await expect(resolveVfioGroup(`mdev:${uuid}`, host)).rejects.toMatchObject({
      code: 'group-not-viable',
      hint: expect.stringContaining(`echo ${uuid} > /sys/bus/mdev/drivers/`),
    });
  });

  it('without a group says how it gets a driver', async () => {
    using host = fakeSysfs();
    host.addMediated(uuid, {});
    await expect(resolveVfioGroup(`mdev:${uuid}`, host)).rejects.toMatchObject({
      code: 'source-unsuitable',
      hint: expect.stringContaining(`echo ${uuid} > /sys/bus/mdev/drivers/`),
    });
  });

  it('whose link in the group leads nowhere is refused', async () => {
    using host = fakeSysfs();
    host.addMediated(uuid, { group: '7', driver: 'vfio_mdev' });
    host.addGroupNode('7');
    rmSync(join(host.paths.sys, 'devices/pci0000:00/0000:00:02.0', uuid), { recursive: true });
    await expect(resolveVfioGroup('/dev/vfio/7', host)).rejects.toMatchObject({ code: 'source-unsuitable' });
  });
});
