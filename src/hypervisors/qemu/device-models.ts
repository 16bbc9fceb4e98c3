import type { Command } from '../../api/plan.ts';

/** What the devices are that were plugged over this connection, so that it need not be asked. */
export class DeviceModels {
  readonly #models = new Map<string, string>();

  /** The model of a device, `virtio-blk-pci`; `undefined` when another connection plugged it. */
  get(vmmId: string): string | undefined {
    return this.#models.get(vmmId);
  }

  /** Notes the devices that `commands` add. An id never means two devices (see api/names). */
  learn(commands: readonly Command[]): void {
    for (const { execute, arguments: args } of commands) {
      const { id, driver } = args ?? {};
      if (execute === 'device_add' && typeof id === 'string' && typeof driver === 'string') {
        this.#models.set(id, driver);
      }
    }
  }

  forget(vmmId: string): void {
    this.#models.delete(vmmId);
  }
}
