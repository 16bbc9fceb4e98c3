import type { Socket } from 'node:net';
import type koffi from 'koffi';
import { descriptorOf } from './descriptor-of.ts';

/**
 * Sends `bytes` over a connected UNIX socket together with an open descriptor (`SCM_RIGHTS` of unix(7)), in
 * one call that does not wait. Nothing may be queued in the socket before it.
 * @returns how many of the bytes the kernel took; 0 when it took neither them nor the descriptor
 */
export type SendDescriptor = (socket: Socket, bytes: Uint8Array, descriptor: number) => number;

/** As Linux has them on every architecture that koffi is built for. */
const [SOL_SOCKET, SCM_RIGHTS, MSG_DONTWAIT, MSG_NOSIGNAL] = [1, 1, 0x40, 0x4000];

let loading: Promise<SendDescriptor | undefined> | undefined;

/** What sends descriptors; `undefined` where koffi, which is optional, is not installed or does not run. */
export async function descriptorSender(): Promise<SendDescriptor | undefined> {
  loading ??= import('koffi').then((module) => senderOf(module.default)).catch(() => undefined);
  return await loading;
}

function senderOf(ffi: typeof koffi): SendDescriptor | undefined {
  if (process.platform !== 'linux') return undefined;
  const vector = ffi.struct({ iov_base: 'void *', iov_len: 'size_t' });
  const control = ffi.struct({
    cmsg_len: 'size_t',
    cmsg_level: 'int',
    cmsg_type: 'int',
    descriptor: 'int',
  });
  const header = ffi.struct({
    msg_name: 'void *',
    msg_namelen: 'uint32_t',
    msg_iov: ffi.pointer(vector),
    msg_iovlen: 'size_t',
    msg_control: ffi.pointer(control),
    msg_controllen: 'size_t',
    msg_flags: 'int',
  });
  // The process has its C library already, of whatever kind.
  const sendmsg = ffi.load(null).func('sendmsg', 'intptr_t', ['int', ffi.pointer(header), 'int']);
  return (socket, bytes, descriptor) => {
    const to = descriptorOf(socket);
    if (to === undefined) return 0;
    const message = {
      msg_name: null,
      msg_namelen: 0,
      msg_iov: { iov_base: bytes, iov_len: bytes.length },
      msg_iovlen: 1,
      msg_control: {
        cmsg_len: ffi.offsetof(control, 'descriptor') + ffi.sizeof('int'),
        cmsg_level: SOL_SOCKET,
        cmsg_type: SCM_RIGHTS,
        descriptor,
      },
      msg_controllen: ffi.sizeof(control),
      msg_flags: 0,
    };
    const sent: unknown = sendmsg(to, message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return typeof sent === 'number' && sent > 0 ? sent : 0;
  };
}
