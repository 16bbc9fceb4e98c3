import type { HostPmem, HostVfioGroup, HostVhostUser } from '../api/host-device.ts';

/** A group of functions `0000:3b:00.0`, `.1` and so on, without hardware behind it. */
export function testGroup(group: string, functions: number): HostVfioGroup {
  const [first = '', ...others] = Array.from({ length: functions }, (_, index) => `0000:3b:00.${index}`);
  const functionAt = (address: string): HostVfioGroup['functions'][number] => ({
    type: 1,
    address,
    sysfsDev: `/sys/bus/pci/devices/${address}`,
    vendorId: '0x8086',
    deviceId: '0x10d3',
    classCode: '0x020000',
    isPcie: true,
  });
  return {
    kind: 'vfio',
    source: `vfio:${first}`,
    group,
    functions: [functionAt(first), ...others.map(functionAt)],
    identities: [
      { key: `iommu-group:${group}`, mode: 'exclusive' },
      ...[first, ...others].map((address) => ({ key: `pci:${address}`, mode: 'exclusive' as const })),
    ],
    readOnly: false,
    shareRw: false,
  };
}

/** An nvdimm without a file behind it. */
export function testPmem(name: string): HostPmem {
  return {
    kind: 'pmem',
    source: `/images/${name}`,
    path: `/images/${name}`,
    size: 64 << 20,
    identities: [{ key: `file:1:${name}`, mode: 'exclusive' }],
    readOnly: false,
    shareRw: false,
  };
}

/** A socket that nobody serves. */
export function testSocket(kind: HostVhostUser['kind'], name: string): HostVhostUser {
  return {
    kind,
    source: `/run/${name}.sock`,
    socket: `/run/${name}.sock`,
    ...(kind === 'vhost-user-net' ? { mac: '52:54:00:12:34:56' } : {}),
    ...(kind === 'vhost-user-fs' ? { tag: name } : {}),
    identities: [{ key: `socket:1:${name}`, mode: 'exclusive' }],
    readOnly: false,
    shareRw: false,
  };
}
