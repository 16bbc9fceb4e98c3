import { startBackEnd, type BackEnd } from './back-end.ts';

/** QEMU's storage daemon (package qemu-system-common) with one image as a vhost-user-blk device. */
export async function startStorageDaemon(options: { image: string; socket: string }): Promise<BackEnd> {
  const { image, socket } = options;
  const node = { driver: 'raw', 'node-name': 'disk', file: { driver: 'file', filename: image } };
  const served = {
    type: 'vhost-user-blk',
    id: 'export',
    'node-name': 'disk',
    writable: true,
    addr: { type: 'unix', path: socket },
  };
  return await startBackEnd({
    program: 'qemu-storage-daemon',
    args: ['--blockdev', JSON.stringify(node), '--export', JSON.stringify(served)],
    socket,
  });
}
