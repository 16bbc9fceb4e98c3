import { startBackEnd, type BackEnd } from './back-end.ts';

/**
 * virtiofsd of QEMU 7.2 (package qemu-system-common) with one folder. Needs root. Without namespaces of its own
 * (`sandbox=chroot`), which containers often may not make. It ends when its client goes.
 */
export async function startVirtiofsd(options: { folder: string; socket: string }): Promise<BackEnd> {
  return await startBackEnd({
    program: '/usr/lib/qemu/virtiofsd',
    args: [
      ...['-f', `--socket-path=${options.socket}`],
      ...['-o', `source=${options.folder}`, '-o', 'sandbox=chroot'],
    ],
    socket: options.socket,
  });
}
