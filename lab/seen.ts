import type { TestContext } from 'vitest';
import type { Evidence } from '../src/api/evidence.ts';

/** What a test saw of one kind of device, for the README's table of kinds. */
export interface SeenFact {
  /** What it is plugged as: `virtio-blk`, `vfio-pci`, `vhost-user-net`. */
  readonly kind: string;
  readonly way: 'hot-plug' | 'cold-plug' | 'unplug';
  /** QEMU's machine type, `q35`. */
  readonly machine: string;
  /** The version that QEMU says, `7.2.22`. */
  readonly qemu: string;
  /** The best that was seen of the guest. */
  readonly evidence?: Evidence;
  /** By what the guest finds it, in words: `PCI path`, `serial`, `tag`. */
  readonly address?: string;
  /** Why it cannot be done, in the words of the refusal that was seen. */
  readonly refused?: string;
}

declare module 'vitest' {
  interface TaskMeta {
    seen?: SeenFact[];
  }
}

/**
 * Notes what a test saw. Called where everything about it was seen; counts only when the test passes.
 */
export function seen({ task }: Pick<TestContext, 'task'>, ...facts: readonly SeenFact[]): void {
  task.meta.seen = [...(task.meta.seen ?? []), ...facts];
}
