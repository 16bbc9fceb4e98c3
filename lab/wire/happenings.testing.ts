import * as fc from 'fast-check';
import type { PlannedFault } from './fault-proxy.ts';
import type { WireFault } from './faults.ts';

export const vmCount = 2;
export const diskCount = 3;

/** What a client wants of a VM. */
export interface WireCall {
  readonly client: number;
  readonly doing: 'attach' | 'detach';
  readonly vm: number;
  readonly disk: number;
}

/** One thing that happens in a history of two VMs, three disks and two clients on one state directory. */
export type WireHappening =
  | ({ readonly what: 'call' } & WireCall)
  | { readonly what: 'at once'; readonly calls: readonly WireCall[] }
  | {
      /** A disk goes into a VM, or out of the one that has it, and a message of that goes wrong. */
      readonly what: 'goes wrong';
      readonly vm: number;
      readonly disk: number;
      /** See {@link messageAt}. */
      readonly message: number;
      readonly fault: WireFault;
    }
  | { readonly what: 'reopen'; readonly client: number }
  /** The guest lets go of a disk by itself. */
  | { readonly what: 'eject'; readonly vm: number; readonly disk: number }
  | { readonly what: 'reboot' | 'pause' | 'resume'; readonly vm: number };

const vm = fc.nat(vmCount - 1);
const disk = fc.nat(diskCount - 1);
const client = fc.nat(1);
const doing = fc.constantFrom('attach' as const, 'attach' as const, 'detach' as const);
const call = { client, doing, vm, disk };

/** Messages of either, then those of its own. */
const both = ['qmp_capabilities', 'query-status'];
const messages: Readonly<Record<WireCall['doing'], readonly PlannedFault['at'][]>> = {
  attach: [
    ...exchanges(...both, 'qom-list', 'blockdev-add', 'device_add', 'device_add', 'x-query-virtio-status'),
    ...exchanges('query-pci'),
    { from: 'server', kind: 'greeting', name: 'greeting', nth: 1 },
  ],
  detach: [
    ...exchanges(...both, 'device_del', 'device_del', 'blockdev-del'),
    { from: 'server', kind: 'event', name: 'DEVICE_DELETED', nth: 2 },
    { from: 'server', kind: 'greeting', name: 'greeting', nth: 1 },
  ],
};

function exchanges(...names: string[]): PlannedFault['at'][] {
  return names.flatMap((name) => [
    { from: 'client', kind: 'command', name, nth: 1 } as const,
    { from: 'server', kind: 'reply', name, nth: 1 } as const,
  ]);
}

/** The message that a number stands for, whichever. */
export function messageAt(doing: WireCall['doing'], number: number): PlannedFault['at'] {
  const list = messages[doing];
  const at = list[number % list.length];
  if (at === undefined) throw new Error('no such message');
  return at;
}

/** What may befall a command as well as what the server says; a delay is longer than anybody waits. */
const fault: fc.Arbitrary<WireFault> = fc.constantFrom<WireFault[]>(
  { kind: 'delay', ms: 500 },
  { kind: 'drop' },
  { kind: 'cut', where: 'before' },
  { kind: 'cut', where: 'in the middle' },
  { kind: 'cut', where: 'after' },
  { kind: 'another client', ms: 20 },
  { kind: 'garble' },
  { kind: 'split' },
);

export const wireHappenings: fc.Arbitrary<WireHappening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('call' as const), ...call }) },
  {
    weight: 4,
    arbitrary: fc.record({ what: fc.constant('goes wrong' as const), vm, disk, message: fc.nat(999), fault }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('at once' as const),
      calls: fc.array(fc.record(call), { minLength: 2, maxLength: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reopen' as const), client }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('eject' as const), vm, disk }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('reboot' as const, 'pause' as const, 'resume' as const),
      vm,
    }),
  },
);
