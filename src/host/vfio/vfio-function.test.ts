import { describe, expect, it } from 'vitest';
import { defaultHostHooks } from '../../api/config.ts';
import { hasCode } from '../../api/errors.ts';
import { fakeSysfs } from './sysfs.testing.ts';
import { describeMember, isBridge, vfioDeviceDetails } from './vfio-function.ts';

const uuid = 'f79944e4-5a3d-11e8-99ce-000000000001';

describe('7.2 VFIO details', () => {
  it('7.2 VFIO details: 0000:02:10.0 is a normal device (with its domain: W10)', () => {
    expect(vfioDeviceDetails('0000:02:10.0', '', defaultHostHooks)).toEqual({
      type: 1,
      BDF: '0000:02:10.0',
      sysfsDev: '/sys/bus/pci/devices/0000:02:10.0',
    });
  });

  it.each([
    ['0000:0210.0', 'of an unknown type', 0],
    ['f79944e4-5a3d-11e8-99ce-', 'mediated, without a link to it', 2],
    ['f79944e4-5a3d-11e8-99ce', 'of an unknown type', 0],
    ['test', 'of an unknown type', 0],
    ['', 'of an unknown type', 0],
  ])('7.2 VFIO details: %j is %s, which is an error', (name, _, type) => {
    expect(() => vfioDeviceDetails(name, '', defaultHostHooks)).toThrow(
      expect.toSatisfy(
        (error: unknown) => hasCode(error, 'source-unsuitable') && error.facts['type'] === type,
      ),
    );
  });
});

describe('a member of a group', () => {
  it.each([
    [256, false],
    [257, true],
    [4096, true],
  ])('with %i bytes of configuration space: PCIe %s', (config, isPcie) => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { config });
    expect(describeMember('0000:02:00.0', '', host.hooks).IsPCIe).toBe(isPcie);
  });

  it('has its ids and class from sysfs', () => {
    using host = fakeSysfs();
    host.addFunction('0000:02:00.0', { vendor: '0x144d', device: '0xa80a', class: '0x010802' });
    expect(describeMember('0000:02:00.0', '', host.hooks)).toMatchObject({
      VendorID: '0x144d',
      DeviceID: '0xa80a',
      Class: '0x010802',
    });
  });

  it.each([
    [false, 2],
    [true, 3],
  ])('that is mediated has its real path; on the AP bus (%s) its type is %i', (ap, type) => {
    using host = fakeSysfs();
    host.addMediated(uuid, { group: '7', ap });
    const member = describeMember(uuid, `${host.hooks.SysIOMMUPath}/7/devices`, host.hooks);
    expect(member).toMatchObject({ Type: type, BDF: '', IsPCIe: false, Class: '' });
    expect(member.SysfsDev).toBe(
      `${host.paths.sys}/devices/${ap ? 'vfio_ap/matrix' : 'pci0000:00/0000:00:02.0'}/${uuid}`,
    );
  });

  it.each([
    ['0x060000', true],
    ['0x060400', true],
    ['0x060401', true],
    ['0x060100', false],
    ['0x020000', false],
    ['', false],
  ])('of class %j: a bridge %s', (code, bridge) => {
    expect(isBridge(code)).toBe(bridge);
  });
});
