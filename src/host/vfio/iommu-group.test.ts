import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deviceLogger, setLogger, silentLogger, type Logger } from '../../api/logger.ts';
import { temporaryDirectory } from '../host.testing.ts';
import { groupMembers } from './iommu-group.ts';
import { fakeSysfs } from './sysfs.testing.ts';

describe('the members of an IOMMU group', () => {
  it('7.3 VFIO attach: a member with an empty class and configuration space is one', async () => {
    using root = temporaryDirectory();
    const devices = join(root.path, '2', 'devices');
    const member = join(devices, '0000:00:1c.0');
    mkdirSync(member, { recursive: true });
    writeFileSync(join(member, 'class'), '');
    writeFileSync(join(member, 'config'), '');
    const hooks = { SysDevPrefix: '', SysIOMMUPath: root.path, SysBusPciDevicesPath: devices };
    expect(await groupMembers('/dev/vfio/2', hooks)).toEqual([
      {
        Type: 1,
        BDF: '0000:00:1c.0',
        SysfsDev: member,
        IsPCIe: false,
        VendorID: '',
        DeviceID: '',
        Class: '',
      },
    ]);
  });

  it('7.5 VFIO via container: an entry that is a plain file only warns', async () => {
    using root = temporaryDirectory();
    const devices = join(root.path, '2', 'devices');
    mkdirSync(devices, { recursive: true });
    writeFileSync(join(devices, '0000:00:1c.0'), '');
    const hooks = { SysDevPrefix: '', SysIOMMUPath: root.path, SysBusPciDevicesPath: devices };
    using log = capturedWarnings();
    const [member] = await groupMembers('/dev/vfio/2', hooks);
    expect(member).toMatchObject({ BDF: '0000:00:1c.0', IsPCIe: false, Class: '' });
    expect(new Set(log.attributes)).toEqual(new Set(['class', 'config', 'device', 'vendor']));
  });

  it('W10: keeps the domain of each', async () => {
    using host = fakeSysfs();
    host.addFunction('10000:01:00.0', { group: '4' });
    host.addFunction('0000:01:00.0', { group: '4', config: 256 });
    const members = await groupMembers('/dev/vfio/4', host.hooks);
    expect(members.map(({ BDF, IsPCIe }) => [BDF, IsPCIe])).toEqual([
      ['0000:01:00.0', false],
      ['10000:01:00.0', true],
    ]);
  });

  it('W11: leaves bridges to the host', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:06:02.0', { group: '13' });
    host.addFunction('0000:05:00.0', { group: '13', class: '0x060400', driver: 'pcieport' });
    host.addFunction('0000:00:00.0', { group: '13', class: '0x060000' });
    host.addFunction('0000:06:01.0', { group: '13' });
    const members = await groupMembers('/dev/vfio/13', host.hooks);
    expect(members.map(({ BDF }) => BDF)).toEqual(['0000:06:01.0', '0000:06:02.0']);
  });

  it('W11: a group of bridges alone cannot be plugged', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:00:01.0', { group: '3', class: '0x060400' });
    await expect(groupMembers('/dev/vfio/3', host.hooks)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
  });

  it('W12: says the same, and each member once, when it is asked again', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '5' });
    const first = await groupMembers('/dev/vfio/5', host.hooks);
    expect(await groupMembers('/dev/vfio/5', host.hooks)).toEqual(first);
    expect(first).toHaveLength(1);
  });

  it('finds a group without an IOMMU by its number', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '0' });
    expect(await groupMembers('/dev/vfio/noiommu-0', host.hooks)).toHaveLength(1);
  });

  it('says that there is no such group', async () => {
    using host = fakeSysfs();
    await expect(groupMembers('/dev/vfio/99', host.hooks)).rejects.toMatchObject({
      code: 'pci-device-not-found',
      subject: '99',
    });
  });

  it('says that a group cannot be listed', async () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { group: '0' });
    const devices = join(host.hooks.SysIOMMUPath, '0/devices');
    rmSync(devices, { recursive: true });
    writeFileSync(devices, '');
    await expect(groupMembers('/dev/vfio/0', host.hooks)).rejects.toMatchObject({
      code: 'source-unsuitable',
    });
  });
});

/** Keeps the attributes that were warned about, until it goes out of scope. */
function capturedWarnings(): Disposable & { attributes: unknown[] } {
  const attributes: unknown[] = [];
  const before = deviceLogger();
  const logger: Logger = {
    ...silentLogger(),
    warn: (_, fields) => attributes.push(fields?.['attribute']),
    withFields: () => logger,
  };
  setLogger(logger);
  return { attributes, [Symbol.dispose]: () => setLogger(before) };
}
