import { expect, test } from 'vitest';
import { placeKey, type Bus } from '../../api/place.ts';
import { bootBuses } from './boot-layout.ts';

const line = ({ name, transport, capacity, places, taken, refuses }: Bus): string => {
  const [first] = places;
  const where = first?.transport === 'pci' ? first.path.join('/') : '-';
  const said = refuses === undefined ? '' : ' refuses';
  return `${name} ${transport} ${capacity} ${where} [${[...taken.keys()].join(' ')}]${said}`;
};

test('q35: the units of the controller, the ports, the bridges behind which ports begin, memory slots', () => {
  const memorySlots = { count: 2, maxMemory: '4G' };
  expect(bootBuses({ machine: 'q35', ports: 2, bridges: 1, memorySlots }).map(line)).toEqual([
    'scsi0.0 scsi 65536 - []',
    'port0 pci 1 03/00 []',
    'port1 pci 1 04/00 []',
    'pci-bridge-0 pci 31 02/01 []',
    'memory memory 2 - []',
  ]);
});

test('native hot-plug: the method is the port’s own, and bridges have no places', () => {
  const methods = (buses: Bus[]): unknown[] =>
    buses.flatMap(({ kind, places }) =>
      [...places].flatMap((place) => (place.transport === 'pci' ? [[kind, place.unplug]] : [])),
    );
  const port = ['pcie-root-port', 'pcie-native'];
  expect(methods(bootBuses({ machine: 'q35', ports: 2, bridges: 1, nativeHotplug: true }))).toEqual([
    port,
    port,
  ]);
  expect(methods(bootBuses({ machine: 'virt', ports: 1 }))).toEqual([port]);
});

test('ports of one slot are told by their function', () => {
  const paths = bootBuses({ machine: 'q35', ports: 29 })
    .filter(({ transport }) => transport === 'pci')
    .map(({ places }) => [...places].map((place) => (place.transport === 'pci' ? place.path : [])));
  expect(paths.slice(0, 3)).toEqual([[['02', '00']], [['02.1', '00']], [['03', '00']]]);
});

test('pc: its root bus, with what the machine and we have there; no slots, and why', () => {
  expect(bootBuses({ machine: 'pc', ports: 0, bridges: 1 }).map(line)).toEqual([
    'scsi0.0 scsi 65536 - []',
    'pci.0 pci 31 01 [pci:pci.0:01 pci:pci.0:02 pci:pci.0:1e]',
    'pci-bridge-0 pci 31 02/01 []',
    'memory memory 0 - [] refuses',
  ]);
});

test('s390-ccw-virtio: channel devices, and no memory slots', () => {
  expect(bootBuses({ machine: 's390-ccw-virtio', ports: 0 }).map(line)).toEqual([
    'scsi0.0 scsi 65536 - []',
    'virtual-css ccw 65535 - []',
  ]);
});

test('W26: the layout is made of the options each time: the same options, the same places free', () => {
  const vm = { machine: 's390-ccw-virtio', ports: 0 } as const;
  const firstFree = (buses: Bus[]): string[] =>
    buses.map(({ places, taken }) => {
      for (const place of places) if (!taken.has(placeKey(place))) return placeKey(place);
      return '';
    });
  const first = firstFree(bootBuses(vm));
  expect(first).toEqual(['scsi:scsi0.0:0:0:0', 'ccw:fe.0.0001']);
  expect(firstFree(bootBuses(vm))).toEqual(first);
});

test('7.5 QEMU bridges: each has room for the 30 devices of v1; a machine without bridges has none of it', () => {
  const bridgesOf = (bridges: number): Bus[] =>
    bootBuses({ machine: 'pc', ports: 0, bridges }).filter(({ kind }) => kind === 'pci-bridge');
  for (const { capacity, places } of bridgesOf(5)) {
    expect(capacity).toBeGreaterThanOrEqual(30);
    expect(new Set([...places].map(placeKey)).size).toBe(capacity);
  }
  expect(bridgesOf(5)).toHaveLength(5);
  expect(bridgesOf(0)).toEqual([]);
});
