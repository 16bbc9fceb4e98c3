/** A UNIX socket that listens, by the path that it was bound to. */
export interface ListeningSocket {
  /** The inode on sockfs, as in `socket:[1234]`. */
  inode: string;
  /** As given to bind(2): possibly relative, or by a name that was replaced since. */
  path: string;
}

const acceptsConnections = 0x10000;

/**
 * Parses /proc/net/unix (proc_net(5)): the sockets that listen on a path in the file system.
 * Abstract names (`@…`) are left out.
 */
export function parseListeningSockets(text: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of text.split('\n')) {
    const match = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ [0-9A-F]+ +(\d+) (.+)$/.exec(line);
    const [, flags, inode, path] = match ?? [];
    if (flags === undefined || inode === undefined || path === undefined || path.startsWith('@')) continue;
    if ((Number.parseInt(flags, 16) & acceptsConnections) !== 0) sockets.push({ inode, path });
  }
  return sockets;
}
