import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';
import { placeKey, type Bus } from '../../api/place.ts';
import type { Command } from '../../api/plan.ts';
import { discoverBuses } from './discover.ts';
import type { Batch } from './qom-reader.ts';
import { describeBuses } from './topology.ts';

/**
 * Object models of QEMU 7.2, as far as they are read. `q35`: ports at 2 (with a device), 3
 * (hotplug=off), 4 (without an id), 5.0 and 5.1, a pcie-pci-bridge behind 5.0, a SCSI disk;
 * `q35-native` the same without ACPI hot-plug; `pc`: a pci-bridge at 4, one with shpc=off at
 * 5, functions at 6.0 (without an id) and 6.1; `nvdimm`: of four memory slots an nvdimm in the
 * third, a DIMM without an id in the first; `s390x`: a SCSI controller at fe.0.0000, a device at
 * fe.0.0005, and one made without a number, which was given fe.0.0002.
 */
type Recording = Record<string, JsonValue>;

function recording(name: string): Recording {
  const text = readFileSync(join(import.meta.dirname, 'recorded', `${name}.json`), 'utf8');
  return JSON.parse(text) as Recording;
}

function replay(recorded: Recording, batches: string[][] = []): Batch {
  return (commands) => {
    const keys = commands.map(keyOf);
    batches.push(keys);
    return keys.map((key) => reply(recorded, key));
  };
}

function keyOf({ execute, arguments: args }: Command): string {
  const path = args?.['path'] as string;
  if (execute === 'qom-list') return `list ${path}`;
  return execute === 'qom-get' ? `get ${path} ${args?.['property'] as string}` : execute;
}

async function reply(recorded: Recording, key: string): Promise<JsonValue> {
  const value = recorded[key];
  if (value === undefined || value === null) {
    throw new VmplugError('vmm-refused', { action: 'ask', subject: key, reason: 'Device not found' });
  }
  if (!key.startsWith('list ') || !Array.isArray(value)) return value;
  return value.map((line) => {
    const [, name = '', type = ''] = /^(.*?): (.*)$/.exec(String(line)) ?? [];
    return { name, type };
  });
}

async function busesOf(name: string): Promise<Bus[]> {
  return describeBuses(await discoverBuses(replay(recording(name)), { timeoutMs: 1000 }));
}

/** What matters of a bus in a line. */
function line({ name, refuses, places, taken, capacity }: Bus): string {
  const [first] = places;
  const where = first?.transport === 'pci' ? first.path.join('/') : first?.transport;
  const said = refuses === undefined ? '' : ` (${refuses})`;
  return `${name}: ${capacity} from ${where} ${first?.unplug}${said} [${[...taken]
    .map((each) => each.join('='))
    .sort()
    .join(' ')}]`;
}

test('q35: root ports, hotplug=off, an anonymous port, a second function, a bridge, SCSI units', async () => {
  expect((await busesOf('q35')).map(line)).toEqual([
    'scsi0.0: 65536 from scsi immediate [scsi:scsi0.0:0:1:2=lun2]',
    'p0: 1 from 02/00 acpi [pci:p0:00=rng0]',
    'off: 1 from 03/00 acpi (the port has hotplug=off) []',
    'pcie.0: 1 from 04/00 acpi (its name is not unique, so it cannot be addressed) []',
    'p3: 1 from 05/00 acpi [pci:p3:00=br0]',
    'p4: 1 from 05.1/00 acpi []',
    'pcie.0: 31 from 01 acpi (its name is not unique, so it cannot be addressed) [pci:pcie.0:02=p0 pci:pcie.0:03=off pci:pcie.0:04= pci:pcie.0:05=p4 pci:pcie.0:1e=scsi0 pci:pcie.0:1f=]',
    'br0: 31 from 05/00/01 acpi []',
  ]);
});

test('pain 8: q35 without ACPI hot-plug: ports are native, and the bridge is SHPC, which is never used', async () => {
  expect((await busesOf('q35-native')).slice(2).map(line)).toEqual([
    'p0: 1 from 02/00 pcie-native [pci:p0:00=rng0]',
    'off: 1 from 03/00 pcie-native (the port has hotplug=off) []',
    'pcie.0: 1 from 04/00 pcie-native (its name is not unique, so it cannot be addressed) []',
    'p3: 1 from 05/00 pcie-native [pci:p3:00=br0]',
    'p4: 1 from 05.1/00 pcie-native []',
    'br0: 31 from 05/00/01 pcie-native (SHPC: seconds for each plug, and many guests lack its driver) []',
  ]);
});

test('pc: the root bus, bridges, functions of one slot', async () => {
  expect((await busesOf('pc')).map(line)).toEqual([
    'scsi0.0: 65536 from scsi immediate [scsi:scsi0.0:0:1:2=lun2]',
    'pci.0: 31 from 01 acpi [pci:pci.0:01= pci:pci.0:04=brA pci:pci.0:05=brB pci:pci.0:06=fn1 pci:pci.0:1e=scsi0]',
    'brA: 31 from 04/01 acpi []',
    'brB: 31 from 05/01 acpi (a pci-bridge with shpc=off: the guest never sees what is plugged) []',
  ]);
});

test('pc with ACPI hot-plug off for bridges, which QEMU 7.2 lets it handle all the same: no guest would see it', async () => {
  const pc = recording('pc');
  const [handler] = Object.keys(pc).flatMap((key) =>
    pc[key] === 'PIIX4_PM' ? [key.replace(/ type$/, '')] : [],
  );
  const off = { ...pc, [`${handler} acpi-pci-hotplug-with-bridge-support`]: false };
  const buses = describeBuses(await discoverBuses(replay(off), { timeoutMs: 1000 }));
  expect(buses.flatMap(({ name, refuses }) => (refuses === undefined ? [] : [[name, refuses]]))).toEqual([
    ['brA', 'ACPI hot-plug is off for it'],
    ['brB', 'ACPI hot-plug is off for it'],
  ]);
});

test('what is taken is a place of the bus: the host bridge in slot 0 takes none away', async () => {
  for (const bus of [...(await busesOf('pc')), ...(await busesOf('q35'))]) {
    if (bus.transport !== 'pci') continue;
    const keys = [...bus.places].map(placeKey);
    for (const key of bus.taken.keys()) expect(keys).toContain(key);
  }
});

describe('s390-ccw-virtio', () => {
  const ccwOf = (buses: Bus[]): Bus | undefined => buses.find(({ transport }) => transport === 'ccw');

  test('W27: device numbers are the ones that QEMU takes, each offered once, as they are asked for', async () => {
    const bus = ccwOf(await busesOf('s390x'));
    const numbers = [...(bus?.places ?? [])].map((place) => (place.transport === 'ccw' ? place.devno : ''));
    expect(numbers).toHaveLength(bus?.capacity ?? 0);
    expect(numbers).toHaveLength(65535);
    expect([numbers[0], numbers[9], numbers.at(-1)]).toEqual(['fe.0.0001', 'fe.0.000a', 'fe.0.ffff']);
    expect(Array.isArray(bus?.places), 'not made before they are wanted').toBe(false);
  });

  test('W26: what the VM was started with is taken once, where QEMU says it is, whoever looks how often', async () => {
    const expected = new Map([
      ['ccw:fe.0.0002', ''],
      ['ccw:fe.0.0005', 'rng'],
    ]);
    for (const buses of [await busesOf('s390x'), await busesOf('s390x')]) {
      expect(ccwOf(buses)?.taken).toEqual(expected);
      expect(ccwOf(buses)?.refuses).toBeUndefined();
    }
  });

  test('SCSI units behind a channel device; no PCI and no crypto adapters, and why', async () => {
    const buses = await busesOf('s390x');
    expect(buses.map(({ name, transport, refuses }) => [name, transport, refuses])).toEqual([
      ['virtual-css', 'ccw', undefined],
      ['scsi0.0', 'scsi', undefined],
      ['pci.0', 'pci', expect.stringContaining('zPCI')],
      ['ap-bus', 'ap', expect.stringContaining('crypto adapters')],
    ]);
  });

  test('crypto adapters: one place, and none when it is taken', async () => {
    const whole = recording('s390x');
    const machine = whole['list /machine'];
    const withAp = (links: string[]): Recording => ({
      ...whole,
      'list /machine': [...(Array.isArray(machine) ? machine : []), 'ap-bridge: child<ap-bridge>'],
      'list /machine/ap-bridge': ['type: string', 'ap-bus: child<ap-bus>'],
      'list /machine/ap-bridge/ap-bus': ['type: string', ...links],
      'get /machine/ap-bridge/ap-bus hotplug-handler': '/machine/ap-bridge',
      'get /machine/ap-bridge/ap-bus child[0]': '/machine/peripheral/crypto',
      'list /machine/peripheral/crypto': ['type: string'],
    });
    const seen = async (links: string[]): Promise<Bus[]> => {
      const batch = replay(withAp(links));
      const buses = describeBuses(await discoverBuses(batch, { timeoutMs: 1000 }));
      return buses.filter(({ transport }) => transport === 'ap');
    };
    const [free, ...others] = await seen([]);
    expect(others).toEqual([]);
    expect(free).toMatchObject({ name: 'ap-bus', capacity: 1, taken: new Map() });
    expect(free?.refuses).toBeUndefined();
    expect(await seen(['child[0]: link<vfio-ap>'])).toMatchObject([
      { taken: new Map([['ap:ap-bus', 'crypto']]) },
    ]);
  });
});

describe('memory slots', () => {
  const memoryOf = async (change: Recording): Promise<Bus | undefined> => {
    const batch = replay({ ...recording('nvdimm'), ...change });
    const buses = describeBuses(await discoverBuses(batch, { timeoutMs: 1000 }));
    return buses.find(({ transport }) => transport === 'memory');
  };

  test('W56: what is in a slot is asked, not counted: nvdimms and DIMMs, with and without an id', async () => {
    const bus = await memoryOf({});
    expect([...(bus?.places ?? [])].map(placeKey)).toEqual(['memory:0', 'memory:1', 'memory:2', 'memory:3']);
    expect(bus?.taken).toEqual(
      new Map([
        ['memory:0', ''],
        ['memory:2', 'nv0'],
      ]),
    );
    expect(bus?.refuses).toBeUndefined();
  });

  const other: [string, Recording, number, string][] = [
    ['no slots', { 'get /machine memory': { size: 1 } }, 0, 'without memory slots'],
    ['no nvdimm=on', { 'get /machine nvdimm': false }, 4, 'without nvdimm=on'],
    ['QEMU before 7.1', { 'list /machine': ['nvdimm: bool'] }, 0, 'does not say'],
  ];
  test.each(other)('%s: refused, with the reason', async (_, change, capacity, reason) => {
    const bus = await memoryOf(change);
    expect(bus).toMatchObject({ capacity, refuses: expect.stringContaining(reason) });
  });

  test('a machine without slots is asked one question more, not three', async () => {
    const batches: string[][] = [];
    const without = { ...recording('nvdimm'), 'get /machine memory': { size: 1 } };
    await discoverBuses(replay(without, batches), { timeoutMs: 1000 });
    const asked = batches.flat();
    expect(asked).toContain('get /machine memory');
    expect(asked).not.toContain('get /machine nvdimm');
    expect(asked).not.toContain('query-memory-devices');
  });
});

test('questions of one kind and level leave together', async () => {
  const batches: string[][] = [];
  await discoverBuses(replay(recording('q35'), batches), { timeoutMs: 1000 });
  expect(batches.length).toBeLessThan(20);
  expect(Math.max(...batches.map(({ length }) => length))).toBeGreaterThan(9);
});

test('a device that goes away while we look is left out, whatever is asked of it last', async () => {
  const whole = recording('q35');
  for (const gone of Object.keys(whole).filter((key) => key.includes('/p0') || key.endsWith('child[4]'))) {
    const { [gone]: _, ...rest } = whole;
    const buses = describeBuses(await discoverBuses(replay(rest), { timeoutMs: 1000 }));
    expect(
      buses.map(({ name }) => name),
      `without ${gone}`,
    ).toContain('br0');
  }
});

test('a lost connection is not taken for an empty machine', async () => {
  const lost: Batch = (commands) =>
    commands.map(() =>
      Promise.reject(new VmplugError('outcome-unknown', { action: 'a', subject: 's', reason: 'r' })),
    );
  await expect(discoverBuses(lost, { timeoutMs: 1000 })).rejects.toMatchObject({ code: 'outcome-unknown' });
});

test('a microvm without PCI has a bus that says why it takes no device; one with PCI has not', () => {
  const [bus, ...others] = describeBuses({ buses: [] }, 'microvm');
  expect(others).toEqual([]);
  expect(bus).toMatchObject({
    transport: 'pci',
    capacity: 0,
    refuses: expect.stringContaining('virtio-mmio'),
  });
  expect(describeBuses({ buses: [] }, 'pc-q35-7.2')).toEqual([]);
});
