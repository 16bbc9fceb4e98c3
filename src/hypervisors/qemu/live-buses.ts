import type { Bus } from '../../api/place.ts';

/**
 * The buses of a machine, walked once and kept true by what its events say. What others plug
 * in meanwhile is not seen, and need not be: places are always given to QEMU explicitly, and it
 * refuses one that is taken.
 */
export class LiveBuses {
  #known: Promise<Bus[]> | undefined;

  get(walk: () => Promise<Bus[]>): Promise<Bus[]> {
    const known = (this.#known ??= walk());
    known.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known;
  }

  forget(): void {
    this.#known = undefined;
  }

  /** Frees the place of a device that the VMM says is gone. */
  vacate(device: string): void {
    const known = this.#known;
    if (known === undefined) return;
    this.#known = known.then((buses) =>
      buses.map((bus) => ({
        ...bus,
        taken: new Map([...bus.taken].filter(([, occupant]) => occupant !== device)),
      })),
    );
  }
}
