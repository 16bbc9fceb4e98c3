import { expect } from 'vitest';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { fakeSysfs } from '../host/vfio/sysfs.testing.ts';
import type { Store } from '../store/store.ts';

const addresses = ['0000:3b:00.0', '0000:3b:00.1'];
/** Driver and `driver_override` of its functions, before and while it is with vfio-pci. */
const native = 'e1000e|none';
const givenAway = 'vfio-pci|vfio-pci';

/** The host of a history: an IOMMU group of two functions on a driver of its own. */
export class GroupHost implements Disposable {
  /** Processes die at their next write to sysfs: before it, or when it is made. */
  lastWrite: { readonly before: boolean } | undefined;
  readonly #host = fakeSysfs();

  constructor() {
    for (const address of addresses) this.#host.addFunction(address, { group: '7', driver: 'e1000e' });
  }

  /**
   * Its sysfs for a process that can die at a write, and that writes nothing after its death.
   * @param death its other half: whether it is dead, and what lets it die
   */
  sysfs(death: { readonly isDead: () => boolean; readonly die: () => void }): HostSysfs {
    const { io } = this.#host;
    const end = (): never => {
      death.die();
      throw new Error('the process is dead');
    };
    return {
      ...this.#host,
      io: {
        read: (path) => io.read(path),
        write: async (path, text) => {
          const last = this.lastWrite;
          if (death.isDead() || last?.before === true) end();
          await io.write(path, text);
          if (last !== undefined) end();
        },
      },
    };
  }

  /** What is recorded of the group is with vfio-pci; what is not as it was has a lease. */
  check(store: Store, isHeld: boolean): void {
    const changed = this.#bindings().some((binding) => binding !== native);
    if (isHeld) expect(this.#bindings()).toEqual([givenAway, givenAway]);
    expect(store.read((tx) => tx.leases())).toHaveLength(isHeld || changed ? 1 : 0);
  }

  expectAsBefore(store: Store): void {
    this.check(store, false);
    expect(this.#bindings(), 'drivers in the end').toEqual([native, native]);
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]();
  }

  #bindings(): string[] {
    return addresses.map((address) => this.#host.binding(address));
  }
}
