import type { WireMessage } from './faults.ts';

/** Tells what the lines of one connection are; a reply has the name of its command. */
export class MessageNames {
  readonly #commands = new Map<unknown, string>();

  name(from: WireMessage['from'], line: string): Pick<WireMessage, 'kind' | 'name'> {
    const message: unknown = JSON.parse(line);
    if (typeof message !== 'object' || message === null) throw new Error(`no message: ${line}`);
    const id = 'id' in message ? message.id : undefined;
    if (from === 'client') {
      const name = 'execute' in message ? String(message.execute) : '';
      this.#commands.set(id, name);
      return { kind: 'command', name };
    }
    if ('event' in message) return { kind: 'event', name: String(message.event) };
    if ('QMP' in message) return { kind: 'greeting', name: 'greeting' };
    return { kind: 'reply', name: this.#commands.get(id) ?? '' };
  }
}
