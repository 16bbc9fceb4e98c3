import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { deviceNumber, sameDevice, type DeviceNumber } from '../device-number.ts';
import { sourceError, systemError } from '../source-errors.ts';

/** How the nodes of a store are looked at: stat(2), or a test's own. v1's `GetVhostUserNodeStatFunc`. */
export type NodeStat = (path: string) => Promise<Pick<BigIntStats, 'isBlockDevice' | 'rdev'>>;

export const statNode: NodeStat = (path) => stat(path, { bigint: true });

/**
 * The socket that the block node `number` of a vhost-user store stands for (contract 2.9): the one
 * with the file name of the first such node, by name, in `<store>/block/devices`. Entries that
 * cannot be looked at or are no block nodes are passed over.
 * @throws VmplugError `source-not-found`, `source-unsuitable`
 */
export async function vhostUserSocket(
  number: DeviceNumber,
  store: string,
  look: NodeStat = statNode,
): Promise<string> {
  const name = await nodeName(number, `${store}/block/devices`, look);
  const socket = `${store}/block/sockets/${name}`;
  try {
    await stat(socket);
  } catch (error) {
    throw systemError(socket, error);
  }
  return socket;
}

async function nodeName(number: DeviceNumber, directory: string, look: NodeStat): Promise<string> {
  const names = await namesIn(directory);
  const looks = await Promise.allSettled(names.map(async (name) => look(`${directory}/${name}`)));
  const found = looks.findIndex(
    (each) =>
      each.status === 'fulfilled' &&
      each.value.isBlockDevice() &&
      sameDevice(deviceNumber(each.value.rdev), number),
  );
  const name = names[found];
  if (name !== undefined) return name;
  const hidden = names.filter((_, index) => looks[index]?.status === 'rejected');
  throw sourceError(
    'source-not-found',
    directory,
    `it has no block node ${number.major}:${number.minor}`,
    hidden.length === 0
      ? 'make one there with mknod, and a socket of the same name in ../sockets'
      : `it may be one of those that cannot be looked at: ${hidden.join(', ')}`,
    looks.find((each) => each.status === 'rejected')?.reason,
  );
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    throw systemError(directory, error);
  }
}
