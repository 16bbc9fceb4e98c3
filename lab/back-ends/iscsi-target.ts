import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../guest/run-program.ts';

/** A disk on an iSCSI target of this host. The target ends with its handle, and with this process. */
export interface IscsiTarget extends AsyncDisposable {
  /** `iscsi://127.0.0.1:PORT/NAME/LUN` */
  readonly url: string;
}

const name = 'iqn.2000-01.lab:disk';
const startMs = 30_000;

/** tgt (package tgt) with one image as LUN 1 of one target, on a port of the loopback interface that was free. */
export async function startIscsiTarget(options: { image: string; directory: string }): Promise<IscsiTarget> {
  const { image, directory } = options;
  const port = await freePort();
  const env = { TGT_IPC_SOCKET: `${directory}/tgt-${port}` };
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'tgtd', '--foreground', '--iscsi', `portal=127.0.0.1:${port}`],
    { stdio: 'ignore', env: { ...process.env, ...env } },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const tell = async (op: string, mode: string, ...args: string[]): Promise<void> => {
    await runProgram('tgtadm', ['--lld', 'iscsi', '--op', op, '--mode', mode, ...args], { env });
  };
  try {
    const deadline = performance.now() + startMs;
    while (!(await works(() => tell('show', 'sys')))) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error('tgtd does not answer');
      await sleep(20);
    }
    await tell('new', 'target', '--tid', '1', '--targetname', name);
    await tell('new', 'logicalunit', '--tid', '1', '--lun', '1', '--backing-store', image);
    await tell('bind', 'target', '--tid', '1', '--initiator-address', 'ALL');
  } catch (error) {
    await end();
    throw error;
  }
  return { url: `iscsi://127.0.0.1:${port}/${name}/1`, [Symbol.asyncDispose]: end };
}

async function works(work: () => Promise<void>): Promise<boolean> {
  return await work().then(
    () => true,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
