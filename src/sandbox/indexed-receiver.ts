import { BlockIndexes } from './block-indexes.ts';

/** What every sandbox has as v1's receiver: its block indexes, and the offset of what has none. */
export abstract class IndexedReceiver {
  readonly #indexes: BlockIndexes;
  readonly #offset: number;

  /** @param offset virtio disks that the guest has and that are not in the index set: v1's drive offset */
  constructor(indexes: BlockIndexes = new BlockIndexes(), offset = 0) {
    this.#indexes = indexes;
    this.#offset = offset;
  }

  /** @throws VmplugError `too-many-devices` */
  async getAndSetSandboxBlockIndex(): Promise<number> {
    return Promise.resolve(this.#indexes.take());
  }

  async unsetSandboxBlockIndex(index: number): Promise<void> {
    this.#indexes.free(index);
    return Promise.resolve();
  }

  getSandboxBlockOffset(): number {
    return this.#offset;
  }
}
