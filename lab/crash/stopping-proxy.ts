import { createConnection, createServer, type Socket } from 'node:net';
import { LineSplitter } from '../../src/hypervisors/qemu/qmp/lines.ts';

/** A line that is about to be handed on over a QMP socket: `to QEMU device_add`, `from QEMU DEVICE_DELETED`. */
export interface PassingLine {
  readonly to: 'QEMU' | 'client';
  /** The command, also of its answer; or the event. */
  readonly name: string;
  readonly text: string;
}

/** What is asked before each line is handed on; it waits until that resolves, and `drop` ends the connection. */
type Gate = (line: PassingLine) => Promise<'drop'> | undefined;

/** A QMP socket in front of another, at which a conversation can be stopped between any two messages. */
export interface StoppingProxy extends AsyncDisposable {
  readonly path: string;
  gate: Gate;
}

/** Listens on `path` and hands every client on to the server at `target`, line by line. */
export async function startStoppingProxy(path: string, target: string): Promise<StoppingProxy> {
  const sockets = new Set<Socket>();
  const pass: Gate = () => undefined;
  const proxy = { path, gate: pass };
  const server = createServer((client) => {
    const vmm = createConnection(target);
    const commands = new Map<string, string>();
    for (const [to, one, other] of [
      ['QEMU', client, vmm],
      ['client', vmm, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      void handOn(one, other, (text) => proxy.gate({ to, text, name: nameOf(text, commands) }));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return Object.assign(proxy, {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  });
}

async function handOn(
  from: Socket,
  to: Socket,
  gate: (text: string) => Promise<'drop'> | undefined,
): Promise<void> {
  const splitter = new LineSplitter();
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (const text of splitter.push(chunk)) {
        if ((await gate(text)) === 'drop') {
          to.destroy();
          from.destroy();
          return;
        }
        to.write(`${text}\n`);
      }
    }
  } catch {
    // A client or a VMM that is gone: the sockets' own events end the other side.
  }
}

/** The command or event that a line is of; answers are told by the ids of their commands. */
function nameOf(text: string, commands: Map<string, string>): string {
  const message: unknown = JSON.parse(text);
  if (typeof message !== 'object' || message === null) return '';
  const id = 'id' in message ? JSON.stringify(message.id) : '';
  if ('execute' in message) {
    commands.set(id, String(message.execute));
    return String(message.execute);
  }
  if ('event' in message) return String(message.event);
  return commands.get(id) ?? 'greeting';
}
