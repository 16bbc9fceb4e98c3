import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealClock } from '../../src/hypervisors/simulated/qemu/clock.ts';
import { startSimulatedQemu } from '../../src/hypervisors/simulated/qemu/start.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { FaultProxy } from './fault-proxy.ts';
import type { WireVm } from './scenario.ts';

/** Simulated VMs, each behind a proxy of its own, with records of its own. */
export interface SimulatedVms extends AsyncDisposable {
  readonly vms: readonly WireVm[];
}

/** Starts so many, with guests that are quick. */
export async function startSimulatedVms(count: number): Promise<SimulatedVms> {
  await using stack = new AsyncDisposableStack();
  const root = stack.adopt(mkdtempSync(join(tmpdir(), 'vmplug-wire-')), (path) =>
    rmSync(path, { recursive: true, force: true }),
  );
  const vms: WireVm[] = [];
  for (let index = 0; index < count; index += 1) {
    const directory = join(root, String(index));
    mkdirSync(directory);
    const guest = { takesMs: 2, answersMs: 2 };
    const { vm, socket } = stack.use(await startSimulatedQemu({ ports: 1, clock: new RealClock(), guest }));
    const proxy = stack.use(await FaultProxy.start(join(directory, 'qmp'), socket));
    const stateDir = join(directory, 'state');
    const image = join(directory, 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, 1 << 20);
    await using vmplug = Vmplug.open({ stateDir });
    await vmplug.adopt('vm', proxy.path);
    const has: WireVm['has'] = async () => ({
      devices: vm.machine.devices.map(({ id }) => id),
      backEnds: [...vm.machine.backEnds.names],
    });
    vms.push({ proxy, stateDir, image, has });
  }
  const owned = stack.move();
  return { vms, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
