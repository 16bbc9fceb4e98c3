import * as fc from 'fast-check';
import type { DeviceInfo } from '../../api/device-info.ts';
import { infoOf } from '../../devices/managed/device.testing.ts';

type Place = 'index' | 'add' | 'append' | 'remove';

/** What a VM answers when nothing has changed: it said no, stands still, keeps the device, or has ended. */
const refusals = ['vmm-refused', 'vm-paused', 'unplug-refused', 'vm-gone'] as const;
/** What leaves open whether anything has: the connection is lost, or a request stands. */
const unclear = ['outcome-unknown', 'deadline-passed'] as const;

/** What goes wrong in one call, where it comes that far. */
export type Fault =
  | { readonly at: Place; readonly how: 'refused'; readonly code: (typeof refusals)[number] }
  | {
      readonly at: Exclude<Place, 'index'>;
      readonly how: 'lost before' | 'lost after';
      readonly code: (typeof unclear)[number];
    }
  | { readonly at: 'first write' | 'second write' };

/** One thing that happens in a history of a manager and its devices. */
export type DeviceHappening =
  | { readonly what: 'new' | 'attach' | 'detach' | 'remove'; readonly device: number; readonly fault?: Fault }
  | { readonly what: 'at once'; readonly calls: readonly { what: 'attach' | 'detach'; device: number }[] }
  /** A guest that was asked lets go of a device, after nobody waits for it any more. */
  | { readonly what: 'late'; readonly device: number }
  /** A new process, with what was kept of the devices, or where v1's form is enough, with that. */
  | { readonly what: 'reopen' | 'reload' };

const block = { DevType: 'b', Major: 8 } as const;
export const requests: readonly DeviceInfo[] = [
  infoOf({ ...block, Minor: 1, ContainerPath: '/dev/sda1' }),
  infoOf({ ...block, Minor: 2, ContainerPath: '/dev/sda2' }),
  infoOf({ ...block, Minor: 3, ContainerPath: '/dev/sda3', ColdPlug: true }),
  infoOf({ ...block, Minor: 4, HostPath: '/images/p', Pmem: true, DriverOptions: { fstype: 'xfs' } }),
  infoOf({ ...block, Major: 241, ContainerPath: '/run/blk.sock' }),
  infoOf({ ...block, Major: 241, Minor: 1, ContainerPath: '/run/cold.sock', ColdPlug: true }),
  infoOf({ ...block, Major: 242, ContainerPath: '/run/scsi.sock' }),
  infoOf({ DevType: 'c', Major: 252, ContainerPath: '/dev/vfio/2' }),
  infoOf({ DevType: 'c', Major: 252, Minor: 1, ContainerPath: '/dev/vfio/3', ColdPlug: true }),
  infoOf({ DevType: 'c', Major: 4, Minor: 2, ContainerPath: '/dev/tty2' }),
];

/** v1's manager makes none of these from a request: they come to it saved, and are found by their socket. */
export const saved = ['virtio-net-pci', 'vhost-user-fs-pci'] as const;

const device = fc.nat(requests.length + saved.length - 1);
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    at: fc.constantFrom('index' as const, 'add' as const, 'append' as const, 'remove' as const),
    how: fc.constant('refused' as const),
    code: fc.constantFrom(...refusals),
  }),
  fc.record({
    at: fc.constantFrom('add' as const, 'append' as const, 'remove' as const),
    how: fc.constantFrom('lost before' as const, 'lost after' as const),
    code: fc.constantFrom(...unclear),
  }),
  fc.record({ at: fc.constantFrom('first write' as const, 'second write' as const) }),
);
const call = fc.record({ what: fc.constantFrom('attach' as const, 'detach' as const), device });

export const deviceHappenings: fc.Arbitrary<DeviceHappening> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      what: fc.constantFrom('new', 'new', 'attach', 'attach', 'attach', 'detach', 'detach', 'remove'),
      device,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constantFrom(
        'new' as const,
        'attach' as const,
        'attach' as const,
        'detach' as const,
        'remove' as const,
      ),
      device,
      fault,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constant('at once' as const),
      calls: fc.array(call, { minLength: 2, maxLength: 8 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('reopen' as const, 'reload' as const) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('late' as const), device }) },
);

/** Whether a record could not be written, whatever the VM has done. */
export function isWrite(wrong: Fault | undefined): boolean {
  return wrong !== undefined && !('how' in wrong);
}
