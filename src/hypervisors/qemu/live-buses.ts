import type { Bus } from '../../api/place.ts';

/**
 * The buses of a machine, walked once and kept true by what its events say. What others plug
 * in meanwhile is not seen, and need not be: places are always given to QEMU explicitly, and it
 * refuses one that is taken.
 */
export class LiveBuses {
  #known: Promise<Bus[]> | undefined;

  get(walk: () => Promise<Bus[]>): Promise<Bus[]> {
    return this.#known ?? this.#keep(walk());
  }

  forget(): void {
    this.#known = undefined;
  }

  /** Frees the place of a device that the VMM says is gone. */
  vacate(device: string): void {
    const known = this.#known;
    if (known === undefined) return;
    void this.#keep(
      known.then((buses) =>
        buses.map((bus) => ({
          ...bus,
          taken: new Map([...bus.taken].filter(([, occupant]) => occupant !== device)),
        })),
      ),
    );
  }

  /** A walk that failed is forgotten; those who wait for it hear why. */
  #keep(buses: Promise<Bus[]>): Promise<Bus[]> {
    this.#known = buses;
    buses.catch(() => {
      if (this.#known === buses) this.#known = undefined;
    });
    return buses;
  }
}
