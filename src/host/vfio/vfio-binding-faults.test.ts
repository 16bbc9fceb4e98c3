import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { VfioLease } from '../../api/lease.ts';
import { fakeSysfs, type FakeFunction, type FakeSysfs, type Fault } from './sysfs.testing.ts';
import { bindGroupToVfio, releaseGroup } from './vfio-binding.ts';

const driver = fc.constantFrom(null, 'nvme', 'e1000e', 'vfio-pci');
const override = fc.constantFrom(null, 'nvme', 'vfio-pci', 'absent');
const functionOf = (refusing: readonly string[]): fc.Arbitrary<FakeFunction> =>
  fc.record({
    driver,
    override,
    native: fc.constantFrom(null, 'nvme', 'e1000e'),
    noAutoprobe: fc.boolean(),
    class: fc.constantFrom('0x020000', '0x020000', '0x020000', '0x060400'),
    refusedBy: fc.subarray([...refusing]),
    group: fc.constant('12'),
  });
const groupOf = (refusing: readonly string[]): fc.Arbitrary<FakeFunction[]> =>
  fc.array(functionOf(refusing), { minLength: 1, maxLength: 4 });
const faults = fc.array(fc.constantFrom<Fault>('none', 'none', 'none', 'fails', 'works-but-fails'), {
  maxLength: 32,
});

function addressOf(index: number): string {
  return `0000:04:00.${index}`;
}

function hostOf(functions: readonly FakeFunction[]): FakeSysfs {
  const host = fakeSysfs();
  for (const name of ['nvme', 'e1000e']) host.addDriver(name);
  for (const [index, parts] of functions.entries()) host.addFunction(addressOf(index), parts);
  // A group of bridges alone is refused before anything else.
  host.addFunction(addressOf(functions.length), { group: '12' });
  return host;
}

function bindings(host: FakeSysfs, count: number): Map<string, string> {
  return new Map(
    Array.from({ length: count + 1 }, (_, index) => [addressOf(index), host.binding(addressOf(index))]),
  );
}

/** As an error's facts write it. */
function factOf(binding: string): string {
  const [driver, override] = binding.split('|');
  const bound = driver === 'none' ? 'no driver' : `driver ${driver}`;
  return `${bound}, ${override === 'none' ? 'no driver_override' : `driver_override ${override}`}`;
}

/** The error must name exactly the functions that are not as they were. */
function expectHonest(
  error: unknown,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): void {
  if (!(error instanceof VmplugError)) throw error;
  const changed = [...after].filter(([address, binding]) => before.get(address) !== binding);
  expect(error.code).toBe(changed.length === 0 ? 'source-unsuitable' : 'outcome-unknown');
  expect(error.facts).toEqual(
    Object.fromEntries(changed.map(([address, binding]) => [address, factOf(binding)])),
  );
}

it('W54: after any failures a group is with vfio-pci, or as it was, or the error says what is where', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(groupOf(['vfio-pci', 'nvme', 'e1000e']), faults, async (functions, faults) => {
      using host = hostOf(functions);
      host.faults = faults;
      const before = bindings(host, functions.length);
      let lease: VfioLease | undefined;
      try {
        lease = await bindGroupToVfio('12', host.io, host);
      } catch (error) {
        refused += 1;
        expectHonest(error, before, bindings(host, functions.length));
        return;
      }
      const taken = new Set(lease.functions.map(({ address }) => address));
      for (const [address, binding] of bindings(host, functions.length)) {
        const isBridge = functions[Number(address.at(-1))]?.class === '0x060400';
        if (taken.has(address)) expect(binding).toBe('vfio-pci|vfio-pci');
        else expect(binding).toBe(before.get(address));
        expect(isBridge || binding.startsWith('vfio-pci|')).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
  expect(refused).toBeGreaterThan(15);
});

it('W54: what was given to vfio-pci is given back as it was, at once or after failures', async () => {
  await fc.assert(
    fc.asyncProperty(groupOf([]), faults, async (functions, faults) => {
      using host = hostOf(functions);
      const before = bindings(host, functions.length);
      const lease = await bindGroupToVfio('12', host.io, host);
      host.writes.length = 0;
      host.faults = faults;
      try {
        await releaseGroup(lease, host.io, host);
      } catch (error) {
        expectHonest(error, before, bindings(host, functions.length));
        host.faults = [];
        await releaseGroup(lease, host.io, host);
      }
      expect(bindings(host, functions.length)).toEqual(before);
    }),
    { numRuns: 100 },
  );
});
