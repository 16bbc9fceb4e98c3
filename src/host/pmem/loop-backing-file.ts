import { readFile } from 'node:fs/promises';
import type { HostHooks } from '../../api/config.ts';
import { errnoOf, systemError, unsuitable } from '../source-errors.ts';
import { sysDevPath, type DeviceNode } from '../sys-dev-path.ts';

/**
 * The file behind a loop device, as the kernel has it (contract 2.10, `backingFile`). Only the newline
 * that the kernel adds is taken off: a file's name may end in a blank.
 * @throws VmplugError `source-unsuitable` for what is no loop device, or one with nothing bound to it
 */
export async function backingFile(node: DeviceNode, hooks: Pick<HostHooks, 'SysDevPrefix'>): Promise<string> {
  const subject = `${node.DevType} ${node.Major}:${node.Minor}`.trim();
  const directory = sysDevPath(node, hooks);
  const path = directory === undefined ? undefined : await attributeOf(`${directory}/loop/backing_file`);
  if (path === undefined || path === '')
    throw unsuitable(subject, 'it is no loop device, or nothing is bound to it');
  if (path.includes('\uFFFD'))
    throw unsuitable(subject, 'the name of its file is not valid UTF-8', 'rename it');
  return path;
}

async function attributeOf(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).replace(/\n$/, '');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw systemError(file, error);
  }
}
