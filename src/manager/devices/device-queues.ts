/**
 * Work in the order in which it came, for each device on its own: work on other devices doesn't
 * wait (W60). Nothing is kept of a device that has no work.
 */
export class DeviceQueues {
  readonly #last = new Map<string, Promise<void>>();

  async inOrder(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(id);
    const result = before === undefined ? work() : before.then(work);
    const ended = result.then(nothing, nothing);
    this.#last.set(id, ended);
    try {
      await result;
    } finally {
      if (this.#last.get(id) === ended) this.#last.delete(id);
    }
  }

  /** Whether work on the device is under way or waits. */
  isBusy(id: string): boolean {
    return this.#last.has(id);
  }
}

const nothing = (): void => undefined;
