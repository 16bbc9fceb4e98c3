import { expect } from 'vitest';
import type { HostVfioGroup } from '../api/host-device.ts';
import { unitsOf } from '../api/plan.ts';
import { resolveVfioGroup } from '../host/vfio/resolve-vfio.ts';
import { fakeSysfs, type FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import type { Store } from '../store/store.ts';
import { deadProcess, type Bench } from './bench.testing.ts';
import type { OperationContext } from './context.ts';

export const disk = '0000:04:00.0';
export const card = '0000:04:00.1';

/** What the functions of {@link groupOfTwo} have before anything is done. */
export const before = ['nvme|none', 'e1000e|e1000e', 'pcieport|none'];
export const given = ['vfio-pci|vfio-pci', 'vfio-pci|vfio-pci', 'pcieport|none'];

/** A host with a group of a disk and a network card on their own drivers, and the bridge before them. */
export function groupOfTwo(): FakeSysfs {
  const host = fakeSysfs();
  host.addFunction(disk, { group: '12', driver: 'nvme', class: '0x010802' });
  host.addFunction(card, { group: '12', driver: 'e1000e', override: 'e1000e' });
  host.addFunction('0000:03:00.0', { group: '12', class: '0x060400', driver: 'pcieport' });
  return host;
}

export function bindings(host: FakeSysfs): string[] {
  return [disk, card, '0000:03:00.0'].map((address) => host.binding(address));
}

/** The group as `vmplug attach` resolves it. */
export function resolved(host: FakeSysfs): Promise<HostVfioGroup> {
  host.addGroupNode('12');
  return resolveVfioGroup(`vfio:${disk}`, { ...host, willBind: true });
}

/** Nothing of the group is left in the store, and this host has it as before. */
export function expectGivenBack(bench: Bench, host: FakeSysfs): void {
  expect(bindings(host)).toEqual(before);
  expect(bench.store.read((tx) => tx.leases())).toEqual([]);
  bench.expectNothingLeft('none');
}

/** What holds at any time: whoever has a function in a VM has its group leased, and it is with vfio-pci. */
export function expectLeased(bench: Bench, host: FakeSysfs): void {
  const leased = bench.store.read((tx) => tx.leases());
  for (const attachment of bench.attachments()) {
    const present = unitsOf(attachment).filter(({ vmmId }) => bench.machine.device(vmmId) !== undefined);
    if (present.length === 0) continue;
    expect(bindings(host)).toEqual(given);
    expect(leased).toMatchObject([{ group: '12', device: attachment.id }]);
  }
  if (bindings(host).join() !== before.join()) expect(leased).toHaveLength(1);
}

/** A process that is killed at the n-th thing that it does: a write to the store or to sysfs, or a word to the VMM. */
export class KilledProcess {
  readonly context: Partial<OperationContext>;
  #left: number;

  constructor(bench: Bench, at: number) {
    this.#left = at;
    const { store, sysfs, machine } = bench;
    const guarded = async (work: () => Promise<void>): Promise<void> => {
      this.#tick();
      await work();
      this.#tick();
    };
    const mortal: Store = {
      read: (work) => {
        if (this.isDead) throw new Error('the process is dead');
        return store.read(work);
      },
      write: (work) => {
        this.#tick();
        return store.write(work);
      },
      writeSoon: (work) => {
        this.#tick();
        return store.writeSoon(work);
      },
      writeTogether: async (work) => {
        this.#tick();
        return store.writeTogether(work);
      },
      [Symbol.dispose]: () => undefined,
    };
    const mortalSysfs: HostSysfs = {
      ...sysfs,
      io: {
        read: (path) => sysfs.io.read(path),
        write: (path, text) => guarded(() => sysfs.io.write(path, text)),
      },
    };
    machine.onExchange(() => this.#tick());
    this.context = { store: mortal, sysfs: mortalSysfs, owner: deadProcess };
  }

  get isDead(): boolean {
    return this.#left <= 0;
  }

  /** Nobody is killed any more, whatever happens; the VMM hears others again. */
  outlive(): void {
    this.#tick = () => undefined;
  }

  #tick = (): void => {
    this.#left -= 1;
    if (this.#left <= 0) throw new Error('the process is dead');
  };
}
