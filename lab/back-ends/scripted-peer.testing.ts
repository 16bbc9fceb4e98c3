import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackEnd, type BackEnd } from './back-end.ts';

/** How a peer treats whoever connects: see `scripted-peer-program.ts`. */
export type PeerManner = 'closes' | 'garbage' | 'silent' | 'silent-later' | 'closes-later';

const program = fileURLToPath(new URL('scripted-peer-program.ts', import.meta.url));

/** Starts a process that serves a socket as a vhost-user back end should not. It ends with its handle. */
export async function startScriptedPeer(directory: string, manner: PeerManner): Promise<BackEnd> {
  const socket = join(directory, `${manner}.sock`);
  return startBackEnd({ program: process.execPath, args: [program, socket, manner], socket });
}
