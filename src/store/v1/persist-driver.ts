import type { SavedSandbox } from './documents.ts';
import type { LockOptions, Unlock } from './lock-directory.ts';

/** Where the states of sandboxes are kept (v1's `PersistDriver`, `virtcontainers/persist/api/interface.go`). */
export interface PersistDriver {
  /**
   * Keeps all of one sandbox; containers that are not given are removed. On failure what was kept
   * before is untouched (W91, W92).
   * @throws VmplugError `invalid-argument` without `SandboxContainer`; `state-unavailable`
   */
  toDisk(saved: SavedSandbox): Promise<void>;
  /**
   * Reads it back, into objects that nobody else has (W93).
   * @throws VmplugError `sandbox-not-found` when nothing is kept; `invalid-argument`, `invalid-state`,
   * `state-kind-mismatch`, `state-too-new`, `state-unavailable`
   */
  fromDisk(sid: string): Promise<SavedSandbox>;
  /**
   * Removes everything of a sandbox; nothing there is success.
   * @throws VmplugError `invalid-argument`, `state-unavailable`
   */
  destroy(sid: string): Promise<void>;
  /**
   * Locks a sandbox that is kept. Several may have it when it isn't `exclusive`.
   * @throws VmplugError `sandbox-not-found`, `deadline-passed`, `aborted`, `missing-package`, `invalid-argument`
   */
  lock(sid: string, exclusive: boolean, options?: LockOptions): Promise<Unlock>;
  /**
   * Keeps bytes that belong to no sandbox, in place of what was there (W97).
   * @param relativePath below the root, and not out of it
   * @throws VmplugError `invalid-argument`, `state-unavailable`
   */
  globalWrite(relativePath: string, data: Uint8Array): Promise<void>;
  /** @throws VmplugError `source-not-found`, `invalid-argument`, `state-unavailable` */
  globalRead(relativePath: string): Promise<Uint8Array>;
  /** `<root>/sbs` */
  runStoragePath(): string;
  /** `<root>/vm` */
  runVMStoragePath(): string;
}
