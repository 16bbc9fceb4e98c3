/** What a refusal means, for those who have to decide what to do about it. */
export type RefusalMeaning = 'not-found' | 'in-use' | 'place-taken' | 'locked' | 'not-vhost-user' | 'other';

/**
 * Something that goes wrong with one exchange.
 *
 * - `refuse`: the VMM says no, and nothing happens.
 * - `unsent`: the connection is found lost before anything went out.
 * - `lose`: the connection is lost after the command went out; whether it was carried out is
 *   `executed`.
 * - `no-answer`: the connection stays, and no answer comes. The caller's deadline passes, at the
 *   latest after `waitMs`.
 */
export type FaultKind =
  | {
      readonly do: 'refuse';
      readonly text: string;
      readonly meaning?: RefusalMeaning;
      readonly class?: string;
    }
  | { readonly do: 'unsent' }
  | { readonly do: 'lose'; readonly executed: boolean }
  | { readonly do: 'no-answer'; readonly executed: boolean; readonly waitMs?: number };

/** Names a command of the wire, or a question of the `Hypervisor` interface. */
export type FaultTarget = 'status' | 'buses' | 'observe' | 'inventory' | (string & {});

/** A fault, and when it strikes. */
export type Fault = FaultKind & {
  readonly on: FaultTarget;
  /** How many exchanges of that name go well before; none by default. */
  readonly after?: number;
  /** How many are struck; one by default, `Infinity` for all that follow. */
  readonly times?: number;
};

/** The faults that are yet to strike. */
export class Faults {
  #armed: { fault: Fault; before: number; left: number }[] = [];

  arm(fault: Fault): void {
    this.#armed.push({ fault, before: fault.after ?? 0, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#armed = [];
  }

  /** Faults that have not struck as often as they should. */
  get pending(): readonly Fault[] {
    return this.#armed.map(({ fault }) => fault);
  }

  /** The fault that strikes an exchange of that name now. */
  strike(name: string): FaultKind | undefined {
    for (const armed of this.#armed) {
      if (armed.fault.on !== name) continue;
      if (armed.before > 0) {
        armed.before -= 1;
        continue;
      }
      armed.left -= 1;
      if (armed.left <= 0) this.#armed = this.#armed.filter((other) => other !== armed);
      return armed.fault;
    }
    return undefined;
  }
}
