import { describe, expect, test } from 'vitest';
import { busDevices, pciBridges, rootPorts, scsiArguments } from './boot-devices.ts';

describe('7.5 QEMU bridges', () => {
  test('7.5 QEMU bridges: five of them are pci-bridge-0 to pci-bridge-4', () => {
    const bridges = pciBridges({ machine: 'pc', ports: 0, bridges: 5 });
    expect(bridges.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map((n) => `pci-bridge-${n}`));
  });

  test('7.5 QEMU cold-plug: the first bridge has chassis 1 and address 2, on the root bus of its machine', () => {
    const common = { driver: 'pci-bridge', shpc: true, romfile: '' };
    expect(busDevices({ machine: 'pc', ports: 0, bridges: 2 })).toEqual([
      { ...common, id: 'pci-bridge-0', bus: 'pci.0', addr: '2', chassis_nr: 1 },
      { ...common, id: 'pci-bridge-1', bus: 'pci.0', addr: '3', chassis_nr: 2 },
    ]);
    expect(busDevices({ machine: 'q35', ports: 0, bridges: 1 })).toEqual([
      { ...common, id: 'pci-bridge-0', bus: 'pcie.0', addr: '2', chassis_nr: 1 },
    ]);
  });

  test.each([
    ['pc', 6],
    ['pc', -1],
    ['q35', 0.5],
    ['s390-ccw-virtio', 1],
    ['virt', 1],
  ] as const)('refused: %s with %s bridges', (machine, bridges) => {
    expect(() => pciBridges({ machine, ports: 0, bridges })).toThrow(
      expect.objectContaining({ code: 'invalid-argument', subject: String(bridges) }),
    );
  });
});

test('W13: ports are numbered by what the VM has: behind its bridges, no address or chassis twice', () => {
  for (const [bridges, count] of [
    [0, 3],
    [2, 26],
    [2, 27],
    [5, 184],
  ] as const) {
    const devices = busDevices({ machine: 'q35', ports: count, bridges });
    expect(devices).toHaveLength(bridges + count);
    const of = (...keys: string[]): unknown[] =>
      devices.map((device) => keys.map((key) => device[key]).find((value) => value !== undefined));
    expect(new Set(of('addr')).size).toBe(devices.length);
    expect(new Set(of('chassis', 'chassis_nr')).size).toBe(devices.length);
  }
  expect(rootPorts({ machine: 'q35', ports: 2, bridges: 2 })).toEqual([
    { id: 'port0', slot: 4, function: 0 },
    { id: 'port1', slot: 5, function: 0 },
  ]);
  expect(() => rootPorts({ machine: 'q35', ports: 185, bridges: 5 })).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});

test.each([
  [0, 20, 8],
  [5, 20, 3],
  [0, 2, 2],
])(
  'of %i bridges and %i ports the first %i ports have I/O space for what needs it',
  (bridges, count, open) => {
    const ports = busDevices({ machine: 'q35', ports: count, bridges }).slice(bridges);
    const has = ports.map((port) => port['io-reserve'] !== 0);
    expect(has).toEqual(Array.from({ length: count }, (_, index) => index < open));
  },
);

describe('7.5 QEMU cold-plug: the SCSI controller', () => {
  test('without a thread of its own', () => {
    expect(scsiArguments({ machine: 'pc' })).toEqual([
      '-device',
      '{"driver":"virtio-scsi-pci","id":"scsi0","addr":"1e"}',
    ]);
  });

  test('with a thread of its own', () => {
    expect(scsiArguments({ machine: 'pc', scsiIothread: true })).toEqual([
      ...['-object', '{"qom-type":"iothread","id":"iothread-scsi0"}'],
      ...['-device', '{"driver":"virtio-scsi-pci","id":"scsi0","addr":"1e","iothread":"iothread-scsi0"}'],
    ]);
  });

  test('as a channel device, at a number that is not given out', () => {
    expect(scsiArguments({ machine: 's390-ccw-virtio' })).toEqual([
      '-device',
      '{"driver":"virtio-scsi-ccw","id":"scsi0","devno":"fe.0.0000"}',
    ]);
  });
});
