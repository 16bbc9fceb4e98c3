import * as fc from 'fast-check';
import { expect } from 'vitest';
import type { HostDevice } from '../api/host-device.ts';
import { testDisk } from './bench.testing.ts';
import { testGroup, testSocket } from './hosts.testing.ts';

/**
 * One thing that happens in a history of two sandboxes, a few disks, an IOMMU group of two functions
 * on a driver of the host, and a network card that another program serves. `device` counts through these.
 */
export type Happening =
  | { readonly what: 'attach' | 'detach'; readonly vm: number; readonly device: number }
  | {
      /** The guest lets go of a device, or of one function of a group, asked or not. */
      readonly what: 'guest ejects';
      readonly vm: number;
      readonly device: number;
      readonly unit: number;
    }
  | { readonly what: 'pause' | 'resume' | 'settle'; readonly vm: number }
  | {
      /** The guest has a way of its own to treat one function of the group. */
      readonly what: 'function turns';
      readonly vm: number;
      readonly unit: number;
      readonly to: Answer;
    }
  | { readonly what: 'guest turns'; readonly vm: number; readonly to: Answer }
  | {
      /** The process dies before or after an exchange of an attach or detach, or a write to sysfs. */
      readonly what: 'killed';
      readonly vm: number;
      readonly device: number;
      readonly doing: 'attach' | 'detach';
      readonly at: string;
      readonly before: boolean;
    }
  | {
      /** An exchange of an attach or detach goes wrong on the wire, and the process lives on. */
      readonly what: 'lost';
      readonly vm: number;
      readonly device: number;
      readonly doing: 'attach' | 'detach';
      readonly at: string;
      /** The connection breaks, or stays and no answer comes. */
      readonly how: 'lose' | 'no-answer';
      readonly executed: boolean;
    }
  | {
      /** The VM ends at an exchange of an attach or detach, and another one takes its place. */
      readonly what: 'vm ends';
      readonly vm: number;
      readonly device: number;
      readonly doing: 'attach' | 'detach';
      readonly at: string;
    }
  /** The guest begins anew; what it was asked to let go of is gone then. */
  | { readonly what: 'reboot'; readonly vm: number }
  /** Two clients at work on both VMs. */
  | { readonly what: 'at once'; readonly calls: readonly ClientCall[] };

/** What one client of a VM wants. */
export interface ClientCall {
  readonly client: number;
  readonly doing: 'attach' | 'detach';
  readonly vm: number;
  readonly device: number;
}

/** What the guest does when it is asked to let go. */
export type Answer = 'lets-go' | 'refuses' | 'ignores';

/** What there is to plug; each disk and each function takes a port, of which a VM has four. */
export const hosts: readonly HostDevice[] = [
  ...['0', '1', '2'].map((name) => testDisk(name)),
  testGroup('7', 2),
  testSocket('vhost-user-net', 'net'),
];
export const ports = 4;
export const theGroup = hosts.findIndex(({ kind }) => kind === 'vfio');

const vm = fc.nat(1);
const device = fc.nat(hosts.length - 1);
const unit = fc.nat(1);
const to = fc.constantFrom('lets-go' as const, 'refuses' as const, 'ignores' as const);
export const stages = [
  'status',
  'blockdev-add',
  'chardev-add',
  'netdev_add',
  'device_add',
  'observe',
  'device_del',
  'netdev_del',
  'chardev-remove',
  'blockdev-del',
];
export const sysfsWrite = 'sysfs';
const doing = fc.constantFrom('attach' as const, 'detach' as const);

export const happenings: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('attach' as const), vm, device }) },
  { weight: 5, arbitrary: fc.record({ what: fc.constant('detach' as const), vm, device }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('guest ejects' as const), vm, device, unit }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('function turns' as const), vm, unit, to }) },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('pause' as const, 'resume' as const, 'settle' as const),
      vm,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('guest turns' as const), vm, to }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('killed' as const),
      vm,
      device,
      doing,
      at: fc.constantFrom(...stages, sysfsWrite, sysfsWrite),
      before: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('lost' as const),
      ...{ vm, device, doing },
      at: fc.constantFrom(...stages),
      how: fc.constantFrom('lose' as const, 'no-answer' as const),
      executed: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('vm ends' as const),
      ...{ vm, device, doing },
      at: fc.constantFrom(...stages, 'after all'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reboot' as const), vm }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('at once' as const),
      calls: fc.array(fc.record({ client: fc.nat(1), doing, vm, device }), { minLength: 2, maxLength: 8 }),
    }),
  },
);

/** @throws Error when there is none */
export function hostAt(index: number): HostDevice {
  return hosts[index] ?? expect.fail('no such host device');
}

/** How many ports it takes. */
export function widthOf(host: HostDevice): number {
  return host.kind === 'vfio' ? host.functions.length : 1;
}
