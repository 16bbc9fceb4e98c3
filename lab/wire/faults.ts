/** What happens to one message on its way. */
export type WireFault =
  /** It comes so late, and so does everything behind it: a stream keeps its order. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** It never comes, as where a VMM hangs. */
  | { readonly kind: 'drop' }
  /** The connection ends. */
  | { readonly kind: 'cut'; readonly where: 'before' | 'in the middle' | 'after' }
  /** The connection ends, and before its client can come back another one has the monitor for a while. */
  | { readonly kind: 'another client'; readonly ms: number }
  /** It comes twice. A command cannot: who sends it is the only one who writes to the stream. */
  | { readonly kind: 'twice' }
  /** One of its bytes is another one, so that it is no message any more. */
  | { readonly kind: 'garble' }
  /** Each of its bytes comes alone. */
  | { readonly kind: 'split' }
  /** The event that comes next overtakes it, if one comes soon. */
  | { readonly kind: 'overtaken' };

/** One message of a conversation: who said it, what it is, and the how many-th of those it is, from 1. */
export interface WireMessage {
  readonly from: 'client' | 'server';
  /** `device_add` of the command and of its reply, `DEVICE_DELETED` of an event, `greeting`. */
  readonly name: string;
  readonly kind: 'command' | 'reply' | 'event' | 'greeting';
  readonly nth: number;
}

/** Every way in which such a message can go wrong; `lateMs` is longer than anybody waits for it. */
export function faultsOf({ kind }: WireMessage, lateMs: number): WireFault[] {
  return [
    { kind: 'delay', ms: lateMs },
    { kind: 'drop' },
    { kind: 'cut', where: 'before' },
    { kind: 'cut', where: 'in the middle' },
    { kind: 'cut', where: 'after' },
    { kind: 'another client', ms: 50 },
    { kind: 'garble' },
    { kind: 'split' },
    ...(kind === 'command' ? [] : [{ kind: 'twice' } as const]),
    ...(kind === 'reply' ? [{ kind: 'overtaken' } as const] : []),
  ];
}

/** `reply device_add 1` */
export function wordsOfMessage({ kind, name, nth }: WireMessage): string {
  return `${kind} ${name} ${nth}`;
}

/** `reply device_add 1: cut in the middle` */
export function wordsOf(message: WireMessage, fault: WireFault): string {
  return `${wordsOfMessage(message)}: ${fault.kind}${fault.kind === 'cut' ? ` ${fault.where}` : ''}`;
}
