import { describe, expect, it } from 'vitest';
import type { HostVfioGroup } from '../../api/host-device.ts';
import { resolveVfioGroup } from './resolve-vfio.ts';
import { fakeSysfs, type FakeSysfs } from './sysfs.testing.ts';

const disk = '0000:02:00.0';
const nic = '0000:02:00.1';

/** A group of an NVMe disk and a network card on drivers of the host, before a bridge. */
function host(): FakeSysfs {
  const fake = fakeSysfs();
  fake.addFunction(disk, { group: '12', driver: 'nvme', class: '0x010802' });
  fake.addDisk(disk, 'nvme0n1', '259:0');
  fake.addFunction(nic, { group: '12', driver: 'e1000e' });
  fake.addInterface(nic, 'enp2s0f1', '0x1002');
  fake.addFunction('0000:01:00.0', { group: '12', driver: 'pcieport', class: '0x060400' });
  return fake;
}

const toBind = (fake: FakeSysfs, source: string, force = false): Promise<HostVfioGroup> =>
  resolveVfioGroup(source, { ...fake, willBind: true, force });

const mount = (fake: FakeSysfs, number: string, at: string): void =>
  fake.write('proc/self/mountinfo', `36 35 ${number} / ${at} rw - ext4 /dev/x rw\n`);

describe('a group that will be bound', () => {
  it('needs no node, and says which drivers its functions are taken from', async () => {
    using fake = host();
    fake.addFunction('0000:02:00.2', { group: '12' });
    fake.addFunction('0000:02:00.3', { group: '12', driver: 'mlx5_vfio_pci' });
    const { functions } = await toBind(fake, `vfio:${disk}`);
    expect(functions.map(({ address, hostDriver }) => [address, hostDriver])).toEqual([
      [disk, 'nvme'],
      [nic, 'e1000e'],
      ['0000:02:00.2', null],
      ['0000:02:00.3', undefined],
    ]);
    expect(fake.writes).toEqual([]);
  });

  it('that vfio has already is as one that will not be bound', async () => {
    using fake = fakeSysfs();
    fake.addFunction(disk, { group: '12', driver: 'vfio-pci' });
    await expect(toBind(fake, `vfio:${disk}`)).rejects.toMatchObject({ code: 'source-unsuitable' });
    fake.addGroupNode('12');
    const { functions } = await toBind(fake, `vfio:${disk}`);
    expect(functions[0]).not.toHaveProperty('hostDriver');
  });

  it('without IOMMU groups is refused with what to turn on', async () => {
    using fake = fakeSysfs();
    fake.addFunction(disk, { driver: 'nvme' });
    await expect(toBind(fake, `vfio:${disk}`)).rejects.toMatchObject({
      code: 'no-iommu',
      hint: expect.stringContaining('intel_iommu=on'),
    });
  });

  it('that is a bridge is refused, forced or not', async () => {
    using fake = host();
    await expect(toBind(fake, 'vfio:0000:01:00.0', true)).rejects.toMatchObject({
      code: 'source-unsuitable',
      reason: expect.stringContaining('bridge'),
    });
  });
});

describe('a function that this host uses', () => {
  it('a mounted disk: the one that was asked for is in use, another one makes its group not viable', async () => {
    using fake = host();
    mount(fake, '259:0', '/mnt');
    await expect(toBind(fake, `vfio:${disk}`)).rejects.toMatchObject({
      code: 'source-in-use',
      reason: `this host uses ${disk}: its disk nvme0n1 is mounted on /mnt`,
      hint: expect.stringContaining('--force'),
      facts: { group: '12', function: disk },
    });
    for (const source of [`vfio:${nic}`, '/dev/vfio/12']) {
      await expect(toBind(fake, source)).rejects.toMatchObject({
        code: 'group-not-viable',
        reason: expect.stringContaining(`${disk} of it: its disk nvme0n1 is mounted on /mnt`),
      });
    }
    expect(await toBind(fake, `vfio:${disk}`, true)).toMatchObject({ group: '12' });
  });

  it('the disk of / is refused with force too, also from its neighbour', async () => {
    using fake = host();
    mount(fake, '259:0', '/');
    for (const force of [false, true]) {
      for (const source of [`vfio:${disk}`, `vfio:${nic}`]) {
        await expect(toBind(fake, source, force)).rejects.toMatchObject({
          code: 'source-in-use',
          reason: expect.stringContaining('is mounted on /'),
          hint: expect.stringContaining('not with --force either'),
        });
      }
    }
  });

  it('a disk of an NVMe subsystem that lies beside the function', async () => {
    using fake = fakeSysfs();
    fake.addFunction(disk, { group: '12', driver: 'nvme' });
    fake.addFunction('0000:09:00.0', { group: '13', driver: 'nvme' });
    fake.setAttribute(disk, 'nvme/nvme3/state', 'live');
    for (const part of ['nvme3/state', 'nvme7n1/dev']) fake.write(`sys/class/nvme-subsystem/s0/${part}`, '');
    for (const file of ['sys/block/nvme7n1', 'sys/dev/block/259:7']) fake.write(`${file}/dev`, '259:7\n');
    mount(fake, '259:7', '/data');
    await expect(toBind(fake, `vfio:${disk}`)).rejects.toMatchObject({
      code: 'source-in-use',
      reason: expect.stringContaining('is mounted on /data'),
    });
    expect(await toBind(fake, 'vfio:0000:09:00.0')).toMatchObject({ group: '13' });
  });

  it('a network interface that is up, and not one that is down', async () => {
    using fake = fakeSysfs();
    fake.addFunction(nic, { group: '5', driver: 'e1000e' });
    fake.addInterface(nic, 'eth0', '0x1003');
    await expect(toBind(fake, `vfio:${nic}`)).rejects.toMatchObject({
      code: 'source-in-use',
      reason: `this host uses ${nic}: its network interface eth0 is up`,
      hint: expect.stringContaining('ip link set eth0 down'),
    });
    expect(await toBind(fake, `vfio:${nic}`, true)).toMatchObject({ group: '5' });
    using down = host();
    expect(await toBind(down, `vfio:${nic}`)).toMatchObject({ group: '12' });
  });

  it.each([
    ['sriov_numvfs', '2', 'it has 2 virtual functions'],
    ['boot_vga', '1', 'it is the display of this host'],
  ])('%s %s', async (attribute, value, what) => {
    using fake = fakeSysfs();
    fake.addFunction(nic, { group: '5', driver: 'igb' });
    fake.setAttribute(nic, attribute, '0');
    expect(await toBind(fake, `vfio:${nic}`)).toMatchObject({ group: '5' });
    fake.setAttribute(nic, attribute, value);
    await expect(toBind(fake, `vfio:${nic}`)).rejects.toMatchObject({
      code: 'source-in-use',
      reason: expect.stringContaining(what),
    });
  });

  it('a function that a program of the host drives', async () => {
    using fake = fakeSysfs();
    fake.addFunction(nic, { group: '5', driver: 'uio_pci_generic' });
    await expect(toBind(fake, `vfio:${nic}`)).rejects.toMatchObject({ code: 'source-in-use' });
  });

  it('what vfio-pci has is not looked at', async () => {
    using fake = fakeSysfs();
    fake.addFunction(nic, { group: '5', driver: 'vfio-pci' });
    fake.setAttribute(nic, 'sriov_numvfs', '4');
    fake.addGroupNode('5');
    expect(await toBind(fake, `vfio:${nic}`)).toMatchObject({ group: '5' });
  });
});
