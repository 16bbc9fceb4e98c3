import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A peer on a real UNIX socket that answers each line as a test says. */
export interface ScriptedGuest extends AsyncDisposable {
  path: string;
  /** Every request line, without empty ones. */
  requests: string[];
}

/** The fields of a request line. */
export interface Request {
  tag: string;
  verb: string;
  sequence: number;
  total: number;
  chunk: string;
}

/** `answer` is called for each request that parses, `greet` for each client. */
export async function scriptedGuest(
  answer: (request: Request, socket: Socket) => void,
  greet: (socket: Socket) => void = () => {},
): Promise<ScriptedGuest> {
  const folder = await mkdtemp(join(tmpdir(), 'guest-'));
  const path = join(folder, 's');
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let rest = '';
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        requests.push(line);
        const found = /^@(\S+) (\S+)(?: (\d+) (\d+) \d+ (\S+))?$/.exec(line);
        if (found === null) continue;
        const [, tag = '', verb = '', sequence = '0', total = '0', chunk = ''] = found;
        answer({ tag, verb, sequence: Number(sequence), total: Number(total), chunk }, socket);
      }
    });
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the guest sends for a command that has run. */
export function result(tag: string, stdout: string, stderr = '', exitCode = 0): string {
  const lines = (text: string): string =>
    (
      Buffer.from(text)
        .toString('base64')
        .match(/.{1,76}/g) ?? []
    )
      .map((line) => `${line}\n`)
      .join('');
  const sizes = `${Buffer.byteLength(stdout)} ${Buffer.byteLength(stderr)}`;
  return `\n=${tag} out plain\n${lines(stdout)}\n=${tag} err plain\n${lines(stderr)}\n=${tag} end ${exitCode} ${sizes}\n`;
}
