import { vhostUserScsiProgram } from '../setup/vhost-user-scsi-program.ts';
import { startBackEnd, type BackEnd } from './back-end.ts';

/** QEMU's sample back end for vhost-user-scsi, before an iSCSI disk. It ends when its client goes: start one for each attach. */
export async function startVhostUserScsi(options: { url: string; socket: string }): Promise<BackEnd> {
  const { url, socket } = options;
  return await startBackEnd({
    program: await vhostUserScsiProgram(),
    args: [`--socket-path=${socket}`, `--iscsi-uri=${url}`],
    socket,
  });
}
