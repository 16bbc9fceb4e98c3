import type { Socket } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { LineSplitter } from '../../src/hypervisors/qemu/qmp/lines.ts';
import type { WireFault, WireMessage } from './faults.ts';
import { MessageNames } from './message-names.ts';

/** Says of each message what befalls it. */
export interface Armed {
  next(from: WireMessage['from'], message: Pick<WireMessage, 'kind' | 'name'>): WireFault | undefined;
  letInAnother(ms: number): void;
}

/** Milliseconds for which an event that could overtake a reply is waited for. */
const overtakeMs = 30;
/** Of no JSON text, wherever it stands in it. */
const noJson = 0x01;

interface Line {
  readonly text: string;
  readonly message: Pick<WireMessage, 'kind' | 'name'>;
  readonly fault: WireFault | undefined;
}

/** One client of the proxy and its connection to the server. */
export class FaultyConnection {
  readonly ended: Promise<void>;
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #armed: Armed;
  readonly #names = new MessageNames();
  #isCut = false;

  constructor(client: Socket, server: Socket, armed: Armed) {
    this.#client = client;
    this.#server = server;
    this.#armed = armed;
    const closed = [client, server].map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    );
    this.ended = Promise.all(closed).then(() => undefined);
    this.#carry('client', client, server);
    this.#carry('server', server, client);
  }

  end(): void {
    this.#isCut = true;
    this.#client.destroy();
    this.#server.destroy();
  }

  #carry(from: WireMessage['from'], one: Socket, other: Socket): void {
    const splitter = new LineSplitter();
    const lines: Line[] = [];
    let isBusy = false;
    const run = async (): Promise<void> => {
      if (isBusy) return;
      isBusy = true;
      for (let line = lines.shift(); line !== undefined && !this.#isCut; line = lines.shift()) {
        await this.#pass(line, lines, other);
      }
      isBusy = false;
    };
    one.on('data', (chunk: Buffer) => {
      for (const text of splitter.push(chunk)) {
        if (text === '') continue;
        const message = this.#names.name(from, text);
        lines.push({ text, message, fault: this.#armed.next(from, message) });
      }
      void run();
    });
    one.on('error', () => other.destroySoon());
    // What came before the end goes on before it.
    one.on('close', () => {
      const rest = lines.splice(0).filter(({ fault }) => fault?.kind !== 'drop');
      if (!this.#isCut && !isBusy) for (const { text } of rest) write(other, text);
      other.destroySoon();
    });
  }

  async #pass({ text, fault }: Line, behind: Line[], to: Socket): Promise<void> {
    switch (fault?.kind) {
      case undefined:
        write(to, text);
        break;
      case 'delay':
        await sleep(fault.ms);
        write(to, text);
        break;
      case 'drop':
        break;
      case 'cut':
        if (fault.where === 'after') write(to, text);
        if (fault.where === 'in the middle') to.write(text.slice(0, Math.ceil(text.length / 2)));
        this.#cut();
        break;
      case 'another client':
        // Behind this connection, and before the next one of the client that loses it.
        this.#armed.letInAnother(fault.ms);
        await turn();
        this.#cut();
        break;
      case 'twice':
        write(to, text);
        write(to, text);
        break;
      case 'garble': {
        const bytes = Buffer.from(`${text}\r\n`, 'utf8');
        bytes[Math.floor(text.length / 2)] = noJson;
        to.write(bytes);
        break;
      }
      case 'split':
        for (const byte of Buffer.from(`${text}\r\n`, 'utf8')) {
          to.write(Buffer.of(byte));
          await turn();
        }
        break;
      case 'overtaken': {
        const event = await nextEvent(behind);
        if (event !== undefined) write(to, event.text);
        write(to, text);
        break;
      }
    }
  }

  /** Both sides hear that the other one has gone; what was written before still comes. */
  #cut(): void {
    this.#isCut = true;
    this.#client.destroySoon();
    this.#server.destroySoon();
  }
}

/** Takes the next event out of what waits. */
async function nextEvent(lines: Line[]): Promise<Line | undefined> {
  const until = performance.now() + overtakeMs;
  for (;;) {
    const at = lines.findIndex(({ message }) => message.kind === 'event');
    if (at >= 0) return lines.splice(at, 1)[0];
    if (performance.now() > until) return undefined;
    await sleep(1);
  }
}

function write(to: Socket, text: string): void {
  if (to.writable) to.write(`${text}\r\n`);
}
