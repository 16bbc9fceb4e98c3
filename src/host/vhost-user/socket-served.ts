import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { basename } from 'node:path';
import type { HostPaths } from '../host-paths.ts';
import { parseListeningSockets } from '../proc-net-unix.ts';
import { errnoOf, sourceError, systemError, unsuitable } from '../source-errors.ts';
import { socketOwner } from '../unix-socket-owner.ts';

/** For a connection on this very host: it is there at once, or refused. */
const longestConnect = 1000;

/**
 * Makes sure that a program listens on the UNIX socket at `path`. The kernel's table is asked first,
 * then those of the other network namespaces, because a vhost-user back end may end when its client
 * goes: only a socket that no table has is connected to, and left at once.
 * @param path absolute, symbolic links resolved
 * @param source what to call it in errors
 * @throws VmplugError `socket-not-served`, `source-not-found`, `source-unsuitable`
 */
export async function requireServed(path: string, source: string, paths: HostPaths): Promise<void> {
  const table = await tableOf(paths);
  if (await listens(path, table)) return;
  if ((await socketOwner(path, paths)) !== undefined) return;
  if (table.split('\n').some((line) => line.endsWith(` ${path}`)))
    throw notServed(source, 'a program has it open and does not listen: it may be serving another client');
  await connectOnce(path, source);
}

/** Whether a listening socket was bound to the file at `path`, by whatever name. */
async function listens(path: string, table: string): Promise<boolean> {
  const target = await statOf(path);
  for (const socket of parseListeningSockets(table)) {
    if (!socket.path.startsWith('/') || basename(socket.path) !== basename(path)) continue;
    const bound = await statOf(socket.path);
    if (bound !== undefined && bound.dev === target?.dev && bound.ino === target.ino) return true;
  }
  return false;
}

async function connectOnce(path: string, source: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = createConnection({ path, signal: AbortSignal.timeout(longestConnect) });
  socket.once('connect', resolve).once('error', reject);
  try {
    await promise;
  } catch (error) {
    throw refused(source, error);
  } finally {
    socket.destroy();
  }
}

function refused(source: string, error: unknown): Error {
  const errno = errnoOf(error);
  if (errno === 'ECONNREFUSED') return notServed(source, 'no program listens on it', error);
  if (errno === 'EAGAIN' || errno === 'ABORT_ERR')
    return notServed(source, 'the program that has it takes no connections', error);
  if (errno === 'EPROTOTYPE')
    return unsuitable(source, 'it is not a stream socket', 'vhost-user needs a stream socket', error);
  return systemError(source, error);
}

function notServed(source: string, reason: string, cause?: unknown): Error {
  return sourceError('socket-not-served', source, reason, 'start the back end that serves it', cause);
}

async function tableOf(paths: HostPaths): Promise<string> {
  try {
    return await readFile(`${paths.proc}/net/unix`, 'utf8');
  } catch {
    // A kernel may keep it from us: then nothing is known from it.
    return '';
  }
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch {
    return undefined;
  }
}
