import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { SqliteStore } from '../store/sqlite-store.ts';

/**
 * What is recorded, read without making a state where there is none and without loading any
 * VMM's driver: for commands that have to be quick.
 */
export interface Listing {
  readonly sandboxes: readonly SandboxRecord[];
  readonly attachments: readonly AttachmentRecord[];
}

/** @throws VmplugError `sandbox-not-found`, `state-unavailable`, `state-too-new` */
export function readListing(stateDir: string, sandbox?: string): Listing {
  using store = SqliteStore.openExisting(stateDir);
  const listing: Listing = store?.read((tx) => ({
    sandboxes: tx.sandboxes(),
    attachments: tx.attachments(sandbox),
  })) ?? { sandboxes: [], attachments: [] };
  if (sandbox !== undefined && !listing.sandboxes.some(({ name }) => name === sandbox)) {
    throw noSandbox(sandbox);
  }
  return listing;
}

/** The error for a sandbox that is not known. */
export function noSandbox(name: string): VmplugError {
  return new VmplugError('sandbox-not-found', {
    action: 'find the sandbox',
    subject: name,
    reason: 'there is none of that name',
    hint: 'vmplug sandbox ls lists them; vmplug sandbox run or adopt adds one',
  });
}
