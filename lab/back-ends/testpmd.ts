import { mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { unpackPackages } from '../setup/unpack-packages.ts';
import { startBackEnd, type BackEnd } from './back-end.ts';

/** Packages of Debian 12: DPDK 22.11, whose libraries are numbered 23. */
const packages = ['dpdk-dev', 'librte-net-vhost23', 'librte-mempool-ring23'];

/**
 * DPDK's testpmd as the other end of a network card: it answers ARP and ping for every address (`icmpecho`). Taken
 * from Debian's packages, which are unpacked, not installed. It polls, so it uses a core as long as it runs.
 */
export async function startTestpmd(options: { socket: string; directory: string }): Promise<BackEnd> {
  const { socket, directory } = options;
  const root = await unpackPackages('dpdk', packages);
  const runtime = join(directory, `${basename(socket)}.d`);
  mkdirSync(runtime, { recursive: true });
  return await startBackEnd({
    // Everything else is waited for while it polls.
    program: 'nice',
    args: [
      join(root, 'usr/bin/dpdk-testpmd'),
      ...['--lcores', '(0,1)@0', '--no-huge', '-m', '512', '--no-pci', '--no-shconf', '--no-telemetry'],
      ...['-d', 'librte_net_vhost.so.23', '-d', 'librte_mempool_ring.so.23'],
      ...['--vdev', `net_vhost0,iface=${socket},queues=1`, '--'],
      ...['-i', '--forward-mode=icmpecho', '--auto-start', '--nb-cores=1', '--total-num-mbufs=4096'],
      ...['--no-flush-rx', '--disable-link-check'],
    ],
    socket,
    env: { LD_LIBRARY_PATH: join(root, 'usr/lib/x86_64-linux-gnu'), RUNTIME_DIRECTORY: runtime },
  });
}
