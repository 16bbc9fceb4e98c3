import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import { parseExact, stringifyExact } from '../../api/exact-json.ts';
import type { SandboxState } from './documents.ts';
import {
  anyContainerState,
  anySandboxState,
  rich,
  richContainer,
  richDocument,
} from './documents.testing.ts';
import { printContainerState, printSandboxState } from './print.ts';
import { readContainerState, readSandboxState } from './read.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const read = (text: string): SandboxState => readSandboxState(bytes(text), 'persist.json');
const readObject = (document: object): SandboxState => read(stringifyExact(document));

const indexMap = 'HypervisorState.BlockIndexMap';
const slots = 'HypervisorState.Bridges.0.DeviceAddr';

/** What refuses `document`. */
function refusal(document: object): VmplugError {
  try {
    readObject(document);
  } catch (error) {
    if (error instanceof VmplugError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('what v1 writes', () => {
  test('any state of a sandbox is the same after printing and reading', () => {
    fc.assert(
      fc.property(anySandboxState, (state) => {
        const again = read(printSandboxState(state));
        expect({ ...again, Config: { ...again.Config, HypervisorConfig: {} } }).toEqual(state);
        expect(read(printSandboxState(again))).toEqual(again);
      }),
      { numRuns: 200 },
    );
  });

  test('any state of a container is the same after printing and reading', () => {
    fc.assert(
      fc.property(anyContainerState, (state) => {
        expect(readContainerState(bytes(printContainerState(state)), 'c')).toEqual(state);
      }),
      { numRuns: 200 },
    );
  });

  test('every member of a rich document is kept, with every digit', () => {
    expect(parseExact(printSandboxState(read(rich)))).toMatchObject(parseExact(rich) as object);
    const container = printContainerState(readContainerState(bytes(richContainer), 'c'));
    expect(parseExact(container)).toEqual(parseExact(richContainer));
  });

  test('every key is written, on one line that ends, and Go escapes what HTML would read', () => {
    const printed = printSandboxState(read('{}'));
    expect(printed).toMatch(/^\{.*\}\n$/);
    expect(printed).toContain('"Devices":null');
    expect(printed).toContain('"BlockIndexMap":{}');
    expect(printed).toContain('"HypervisorConfig":{"NumVCPUs":0');
    expect(printSandboxState(read(rich))).toContain('/srv/a\\u0026b\\u003cc\\u003e.img');
  });

  test('lists and maps may be null, empty or absent; a BlockIndexMap that is null is empty (5.7)', () => {
    const state = readObject({ Devices: [], HypervisorState: { BlockIndexMap: null, Bridges: null } });
    expect(state.Devices).toEqual([]);
    expect(state.HypervisorState).toMatchObject({ BlockIndexMap: {}, Bridges: null, HotpluggedVCPUs: null });
  });

  test('keys fit whatever the case of their letters, and the last of several counts', () => {
    const state = read('{"sandboxcontainer":"a","SANDBOXCONTAINER":"b","config":{"Cgroups":{"x":1}}}');
    expect(state.SandboxContainer).toBe('b');
    expect(state.Config.cgroups).toEqual({ x: 1 });
    expect(printSandboxState(state)).toContain('"cgroups":{"x":1}');
    expect(read('{"\u017ftate":"long s"}').State).toBe('long s');
  });

  test('W99: what v1 forgot to write is kept where it is there', () => {
    const kept = readContainerState(bytes('{"BundlePath":"/b","Mounts":[{"Type":"bind"}]}'), 'c');
    expect(kept).toMatchObject({ BundlePath: '/b', Mounts: [{ Type: 'bind' }] });
  });

  test('W100: a tuntap endpoint, which v1 writes and does not read, is kept', () => {
    expect(read(rich).Network.Endpoints?.[0]).toMatchObject({
      Type: 'tuntap',
      Tuntap: { TuntapInterface: { Name: 't0' } },
    });
  });

  test('W56: the ids of nvdimms in use are kept, so that none is given out twice', () => {
    const device = { ID: 'd', Type: 'block', BlockDrive: { NvdimmID: '3', Pmem: true } };
    expect(readObject({ Devices: [device] }).Devices?.[0]?.BlockDrive?.NvdimmID).toBe('3');
  });

  test('unknown keys are dropped, as v1 drops them', () => {
    expect(printSandboxState(readObject({ Unknown: 1 }))).not.toContain('Unknown');
  });

  test('what comes behind the document is ignored', () => {
    expect(read('{"State":"running"}}]tail of a longer file').State).toBe('running');
    expect(read('{"State":"a\\"}"} x').State).toBe('a"}');
  });

  test('version 1 is kept, and where there is none the present one is written', () => {
    expect(printSandboxState(readObject({ PersistVersion: 1 }))).toContain('"PersistVersion":1');
    expect(printSandboxState(readObject({}))).toContain('"PersistVersion":2');
  });

  test('a type of device that nobody knows is kept', () => {
    expect(readObject({ Devices: [{ ID: 'x', Type: 'new' }] }).Devices?.[0]?.Type).toBe('new');
  });
});

describe('PCI paths (W94)', () => {
  const withPath = (payload: object): string => {
    const state = readObject({
      Devices: [{ ID: 'd', Type: 'block', BlockDrive: payload }],
    });
    return stringifyExact(parseExact(printSandboxState(state)));
  };

  test('W94: a path survives: v1 finds the {} that it takes, and the text is beside it', () => {
    for (const payload of [{ PCIPath: '02/01' }, { PCIPath: {}, PCIPathText: '02/01' }]) {
      expect(withPath(payload)).toMatch(/"PCIPath":\{\},.*"PCIPathText":"02\/01"/);
    }
  });

  test('v1 wrote {} for every path, and that is what is written for none', () => {
    for (const payload of [{ PCIPath: {} }, { PCIPath: '' }, { PCIPath: null }, {}]) {
      expect(withPath(payload)).toContain('"PCIPath":{},');
      expect(withPath(payload)).not.toContain('PCIPathText');
    }
  });
});

describe('what v1 could not have written is refused, with its path', () => {
  test.each<[string, string, unknown, string]>([
    ['a count as text', 'Devices.3.RefCount', '1', '$.Devices[3].RefCount'],
    ['a negative count', 'Devices.0.AttachCount', -1, '$.Devices[0].AttachCount'],
    ['a count beyond 64 bits', 'Devices.0.RefCount', 2n ** 64n, '$.Devices[0].RefCount'],
    ['a type of member that is none', 'Devices.2.VFIODevs.0.Type', 4, '$.Devices[2].VFIODevs[0].Type'],
    ['an index beyond all', 'Devices.0.BlockDrive.Index', 65_535, '$.Devices[0].BlockDrive.Index'],
    ['an index below none', 'Devices.3.VhostUserDev.Index', -2, '$.Devices[3].VhostUserDev.Index'],
    ['a node of no type', 'Devices.5.DevType', 'x', '$.Devices[5].DevType'],
    ['half a reference', 'Devices.0.RefCount', 0.5, '$.Devices[0].RefCount'],
    ['a member type as text', 'Devices.2.VFIODevs.1.Type', 'x', '$.Devices[2].VFIODevs[1].Type'],
    ['a type beyond 32 bits', 'Devices.2.VFIODevs.0.Type', 2 ** 32, '$.Devices[2].VFIODevs[0].Type'],
    ['W101: a null in VFIODevs', 'Devices.2.VFIODevs.0', null, '$.Devices[2].VFIODevs[0]'],
    ['W101: a null device', 'Devices.4', null, '$.Devices[4]'],
    ['a drive that is a list', 'Devices.0.BlockDrive', [], '$.Devices[0].BlockDrive'],
    ['a PCI path of no slots', 'Devices.0.BlockDrive.PCIPath', '99', '$.Devices[0].BlockDrive.PCIPath'],
    ['an option that is a number', 'Devices.0.DriverOptions.x-y', 1, '$.Devices[0].DriverOptions["x-y"]'],
    ['devices as an object', 'Devices', {}, '$.Devices'],
    ['a device without an id', 'Devices.0.ID', '', '$.Devices[0].ID'],
    ['one id twice', 'Devices.5.ID', '0000000000000001', '$.Devices[5].ID'],
    ['a flag as text', 'GuestMemoryHotplugProbe', 'true', '$.GuestMemoryHotplugProbe'],
    ['an index with a sign', `${indexMap}.-1`, {}, `$.${indexMap}["-1"]`],
    ['an index in hexadecimal', `${indexMap}.a`, {}, `$.${indexMap}.a`],
    ['an index with a zero before it', `${indexMap}.01`, {}, `$.${indexMap}["01"]`],
    ['an index that v1 does not give out', `${indexMap}.65535`, {}, `$.${indexMap}["65535"]`],
    ['an index with a value', `${indexMap}.1`, true, `$.${indexMap}["1"]`],
    ['a slot that is no number', `${slots}.x`, 'd', '$.HypervisorState.Bridges[0].DeviceAddr.x'],
    [
      'a setting of the wrong type',
      'Config.HypervisorConfig.NumVCPUs',
      -1,
      '$.Config.HypervisorConfig.NumVCPUs',
    ],
    ['a version as text', 'PersistVersion', '2', '$.PersistVersion'],
  ])('%s', (_, place, value, path) => {
    const document = richDocument();
    replace(document, place.split('.'), value);
    const error = refusal(document);
    expect(error).toMatchObject({ code: 'invalid-state', subject: 'persist.json', facts: { path } });
    expect(error.message).toContain(path);
  });

  test.each([
    '2021-13-01T00:00:00Z',
    '2021-02-30T00:00:00Z',
    '2021-01-01T24:00:00Z',
    '2021-01-01T00:00:60Z',
    '2021-01-01T00:00:00',
    'yesterday',
  ])('a process that was started at %s', (StartTime) => {
    expect(() => readContainerState(bytes(stringifyExact({ Process: { StartTime } })), 'c')).toThrow(
      expect.objectContaining({
        code: 'invalid-state',
        facts: { path: '$.Process.StartTime', document: 'c' },
      }),
    );
  });

  test.each([
    ['block', 'VFIODevs', [{ ID: 'v' }]],
    ['block', 'VhostUserDev', {}],
    ['vfio', 'BlockDrive', {}],
    ['generic', 'BlockDrive', {}],
    ['vhost-user-blk-pci', 'BlockDrive', {}],
  ])('a device of the type %s with %s', (type, key, payload) => {
    const error = refusal({ Devices: [{ ID: 'a', Type: type, [key]: payload }] });
    expect(error).toMatchObject({ code: 'state-kind-mismatch', facts: { path: `$.Devices[0].${key}` } });
  });

  test('W98: a newer version is refused as such, whatever else is in it', () => {
    expect(refusal({ PersistVersion: 3, Devices: 'something else' })).toMatchObject({
      code: 'state-too-new',
      facts: { path: '$.PersistVersion' },
    });
    expect(() => read('{"PersistVersion":18446744073709551615}')).toThrow(
      expect.objectContaining({ code: 'state-too-new' }),
    );
  });

  test.each([
    ['W90: nothing', '', 'interrupted'],
    ['W90: the first half', rich.slice(0, rich.length / 2), 'interrupted'],
    ['W90: all but the last brace', rich.trimEnd().slice(0, -1), 'interrupted'],
    ['a list', '[]', 'an object is needed'],
    ['null', 'null', 'an object is needed'],
    ['a byte order mark', '\ufeff{}', 'not JSON'],
    ['a comma too many', '{"State":"x",}', 'not JSON'],
    ['a number beyond all numbers', '{"Config":{"x":1e400}}', '$.Config.x'],
    ['very deep nesting', '{"Config":'.repeat(600) + '}'.repeat(600), 'nested'],
  ])('%s', (_, text, reason) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'invalid-state', reason: expect.stringContaining(reason) }),
    );
  });

  test('bytes that are not UTF-8', () => {
    const broken = Buffer.concat([bytes('{"State":"'), Buffer.from([0xc3, 0x28]), bytes('"}')]);
    expect(() => readSandboxState(broken, 'f')).toThrow(
      expect.objectContaining({ code: 'invalid-state', reason: expect.stringContaining('UTF-8') }),
    );
  });

  test('whatever becomes of the bytes of a document, it is read or refused by a typed error', () => {
    const damaged = fc
      .tuple(
        fc.constantFrom(rich, richContainer),
        fc.array(fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 4 }), fc.nat(6))),
      )
      .map(([text, changes]) => {
        let now = Buffer.from(text);
        for (const [at, put, cut] of changes) {
          const index = at % (now.length + 1);
          now = Buffer.concat([now.subarray(0, index), put, now.subarray(index + cut)]);
        }
        return now;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array()), (input) => {
        for (const attempt of [
          () => printSandboxState(readSandboxState(input, 'f')),
          () => printContainerState(readContainerState(input, 'f')),
        ]) {
          try {
            attempt();
          } catch (error) {
            expect(error).toBeInstanceOf(VmplugError);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('any member replaced by a value of another type is refused, or read without changing the others', () => {
    const paths = leaves(richDocument()).filter((path) => path[0] !== 'Config' && path[0] !== 'Network');
    fc.assert(
      fc.property(
        fc.constantFrom(...paths),
        fc.constantFrom<unknown>([[]], 'x', true, 1.5, {}),
        (path, value) => {
          const document = richDocument();
          replace(document, path, value);
          try {
            const again = JSON.parse(printSandboxState(readObject(document))) as Record<string, unknown>;
            expect(again['SandboxContainer']).toBe(document['SandboxContainer']);
          } catch (error) {
            expect(error).toMatchObject({ facts: { path: expect.stringMatching(/^\$/) } });
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

function leaves(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, held]) => leaves(held, [...path, key]));
}

function replace(document: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) document[key] = value;
  else replace(document[key] as Record<string, unknown>, rest, value);
}
