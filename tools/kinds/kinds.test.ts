import { describe, expect, test } from 'vitest';
import type { SeenFact } from '../../lab/seen.ts';
import { differences, kindsTable, withTable } from './render.ts';
import { kindRows } from './rows.ts';
import { merged, parseSeen } from './seen-file.ts';

const fact = (more: Partial<SeenFact>): SeenFact => ({
  kind: 'virtio-blk',
  way: 'hot-plug',
  machine: 'q35',
  qemu: '7.2.22',
  ...more,
});

const facts: readonly SeenFact[] = [
  fact({ evidence: 'enumerated', address: 'PCI path' }),
  fact({ evidence: 'live', address: 'serial', qemu: '10.0.2' }),
  fact({ machine: 'pc', way: 'unplug' }),
  fact({ machine: 'microvm', refused: 'no bus takes it' }),
  fact({ kind: 'nvdimm', way: 'unplug', refused: 'QEMU cannot' }),
];

describe('kindRows', () => {
  test('a row has what worked, the best evidence, and what was refused with its reason', () => {
    expect(kindRows(facts, [])).toEqual([
      {
        kind: 'nvdimm',
        hotPlug: '–',
        coldPlug: '–',
        unplug: 'no: QEMU cannot',
        evidence: '–',
        address: '–',
        machines: '–',
      },
      {
        kind: 'virtio-blk',
        hotPlug: 'yes; not on microvm: no bus takes it',
        coldPlug: '–',
        unplug: 'yes',
        evidence: 'live',
        address: 'PCI path, serial',
        machines: 'pc (7.2), q35 (7.2, 10.0)',
      },
    ]);
  });

  test('the order of the facts does not matter, nor that some were seen twice', () => {
    expect(kindRows([...facts.toReversed(), ...facts], [])).toEqual(kindRows(facts, []));
  });

  test('what cannot be run is a row that says so, until it was seen', () => {
    const notRun = [
      { kind: 'virtio-blk', reason: 'no disk' },
      { kind: 'vfio-ap', reason: 'no adapter' },
    ];
    const rows = kindRows(facts, notRun);
    expect(rows.map(({ kind }) => kind)).toEqual(['nvdimm', 'virtio-blk', 'vfio-ap']);
    expect(rows[2]).toMatchObject({ hotPlug: 'not run: no adapter', machines: '–' });
  });
});

describe('the page', () => {
  const page = 'before\n<!-- kinds -->\n\nold\n\n<!-- /kinds -->\nafter\n';

  test('gets the table between its markers, and the same table leaves it as it is', () => {
    const written = withTable(page, kindsTable(kindRows(facts, [])));
    expect(written).toMatch(/^before\n<!-- kinds -->\n\n\| plugged as \|/);
    expect(written).toMatch(/\| nvdimm \| – \| – \| no: QEMU cannot \|.*\n.*\n\n<!-- \/kinds -->\nafter\n$/);
    expect(withTable(written, kindsTable(kindRows(facts, [])))).toBe(written);
    expect(() => withTable('no markers', '')).toThrow('<!-- kinds -->');
  });

  test('differs from what was seen by cells and by kinds', () => {
    const said = kindRows(facts, []);
    expect(differences(said, said)).toEqual([]);
    const seen = kindRows([fact({ evidence: 'live' }), fact({ kind: 'vfio-pci' })], []);
    const found = differences(said, seen);
    expect(found).toContain('nvdimm: in the table, and nothing of it was seen');
    expect(found).toContain('vfio-pci: seen, and not in the table');
    expect(found).toContain('virtio-blk, unplug: the table says "yes", the tests saw "–"');
    expect(found.some((line) => line.includes('best evidence'))).toBe(false);
  });
});

test('the facts of a file that ran again take the place of the earlier ones', () => {
  const [one, two] = [fact({}), fact({ machine: 'pc' })];
  const ran = new Map([
    ['a.test.ts', [two]],
    ['c.test.ts', []],
  ]);
  expect(merged({ 'b.test.ts': [one], 'a.test.ts': [one], 'c.test.ts': [one] }, ran)).toEqual({
    'a.test.ts': [two],
    'b.test.ts': [one],
  });
  expect(parseSeen(JSON.stringify({ a: [two] }))).toEqual({ a: [two] });
  expect(() => parseSeen('{"a":[{"kind":1}]}')).toThrow();
});
