import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { QmpConnection } from '../../src/hypervisors/qemu/index.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { startLabGuest } from '../foreign-qemu.ts';
import { guardedDirectory, releaseDirectory } from '../guard/guard.ts';
import { FaultProxy } from './fault-proxy.ts';
import type { WireVm } from './scenario.ts';

/** A lab guest behind a proxy, with a second monitor past it. */
export interface RealWireVm extends WireVm, AsyncDisposable {
  /** Descriptors that QEMU has open. */
  descriptors(): number;
}

export async function startRealWireVm(): Promise<RealWireVm> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.adopt(guardedDirectory('vmplug-wire-'), (path) => {
    rmSync(path, { recursive: true, force: true });
    releaseDirectory(path);
  });
  const vmDirectory = join(directory, 'vm');
  mkdirSync(vmDirectory);
  const second = join(directory, 'second.qmp');
  const qemu = stack.use(
    await startLabGuest(vmDirectory, 'q35', [
      ...['-device', 'virtio-scsi-pci,id=hba'],
      ...['-qmp', `unix:${second},server=on,wait=off`],
    ]),
  );
  const monitor = stack.use(await QmpConnection.connect(second, { timeoutMs: 20_000 }));
  const proxy = stack.use(await FaultProxy.start(join(directory, 'proxy.qmp'), qemu.qmp));
  const [stateDir, image] = [join(directory, 'state'), join(directory, 'disk.img')];
  writeFileSync(image, '');
  truncateSync(image, 1 << 20);
  await using vmplug = Vmplug.open({ stateDir });
  await vmplug.adopt('vm', proxy.path, { timeoutMs: 60_000 });
  const names = async (key: string, execute: string, args = {}): Promise<string[]> => {
    const list: unknown = await monitor.execute(execute, args);
    if (!Array.isArray(list)) throw new Error(`${execute}: no list`);
    return list.map((entry: Record<string, unknown>) => String(entry[key]));
  };
  const owned = stack.move();
  return {
    ...{ proxy, stateDir, image },
    has: async () => ({
      devices: await names('name', 'qom-list', { path: '/machine/peripheral' }),
      backEnds: await names('node-name', 'query-named-block-nodes', { flat: true }),
    }),
    descriptors: () => readdirSync(`/proc/${qemu.pid}/fd`).length,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
