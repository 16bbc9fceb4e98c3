import { VmplugError } from '../api/errors.ts';
import { claimModes, type ClaimMode, type HostIdentity } from '../api/host-device.ts';
import { claimsAgree } from '../host/claim-modes.ts';
import { knownWord } from './known-word.ts';
import type { Statements } from './statements.ts';
import type { Claim } from './store.ts';

/** Who has which identity of a host device, and for what. */
export class ClaimRows {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  claim(identities: readonly HostIdentity[], device: string, sandbox: string): void {
    // All are looked at before the first is taken, so that a caller may go on after a refusal.
    for (const identity of identities) this.check(identity, device, sandbox);
    for (const identity of identities) {
      this.#statements.run(
        `INSERT INTO claims (key, device, sandbox, mode) VALUES (?, ?, ?, ?)
         ON CONFLICT (key, device) DO UPDATE SET mode = excluded.mode`,
        identity.key,
        device,
        sandbox,
        identity.mode,
      );
    }
  }

  check({ key, mode }: HostIdentity, device: string, sandbox: string): void {
    const other = this.holders(key).find(
      (holder) => holder.device !== device && !claimsAgree(holder.mode, mode),
    );
    if (other !== undefined) throw clash(other, mode, sandbox);
  }

  holders(key: string): Claim[] {
    const rows = this.#statements.get('SELECT key, device, sandbox, mode FROM claims WHERE key = ?').all(key);
    return rows.map((row) => ({
      key: String(row['key']),
      device: String(row['device']),
      sandbox: String(row['sandbox']),
      mode: knownWord(claimModes, row['mode']),
    }));
  }
}

function clash(holder: Claim, mode: ClaimMode, sandbox: string): VmplugError {
  const here = holder.sandbox === sandbox;
  return new VmplugError(here ? 'already-attached' : 'claimed-elsewhere', {
    action: 'claim the host device',
    subject: holder.key,
    reason: here
      ? `it is attached to ${sandbox} already, as ${holder.device}`
      : `sandbox ${holder.sandbox} has it (${holder.mode}), as ${holder.device}; this attach wants it ${mode}`,
    hint: here
      ? `detach it first: vmplug detach ${sandbox} ${holder.device}`
      : `detach it there first (vmplug detach ${holder.sandbox} ${holder.device}), or attach it on both sides with --read-only or --share-rw`,
    facts: { holder: holder.sandbox, device: holder.device, mode: holder.mode },
  });
}
