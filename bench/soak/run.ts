import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startLabGuest } from '../../lab/foreign-qemu.ts';
import type { DeviceDriver } from '../../src/api/device-type.ts';
import { QmpConnection } from '../../src/hypervisors/qemu/index.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { SqliteStore } from '../../src/store/sqlite-store.ts';
import { takeSample, type SoakSample } from './sample.ts';

export interface SoakSettings {
  readonly cycles: number;
  /** Cycles from one sample to the next. */
  readonly every: number;
}

/** Milliseconds for each step: a busy host is no reason to give up. */
const timeoutMs = 120_000;
const drivers = ['virtio-blk', 'virtio-scsi'] as const satisfies readonly DeviceDriver[];

/**
 * Attaches a disk to a real guest under TCG and detaches it again, over and over, in turn as
 * virtio-blk and as virtio-scsi, all from this one process. Each attach waits until the guest's driver runs.
 * @param directory empty; for the VM, the records and the images
 * @param onSample hears the samples as they are taken; the first one is taken after `every` cycles,
 *   when everything has been used
 * @throws what an attach or detach throws
 */
export async function soak(
  directory: string,
  { cycles, every }: SoakSettings,
  signal: AbortSignal,
  onSample: (sample: SoakSample) => void,
): Promise<SoakSample[]> {
  const second = join(directory, 'second.qmp');
  const stateDir = join(directory, 'state');
  const vmDirectory = join(directory, 'vm');
  mkdirSync(vmDirectory);
  await using qemu = await startLabGuest(
    vmDirectory,
    'q35',
    [...['-device', 'virtio-scsi-pci,id=hba'], '-qmp', `unix:${second},server=on,wait=off`],
    { sharedMemory: true },
  );
  await using monitor = await QmpConnection.connect(second, { timeoutMs });
  await using vmplug = Vmplug.open({ stateDir, lingerMs: timeoutMs });
  await vmplug.adopt('vm', qemu.qmp, { timeoutMs });
  using store = SqliteStore.open(stateDir);
  const image = join(directory, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 16 * 1024 * 1024);
  const samples: SoakSample[] = [];
  const started = performance.now();
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    signal.throwIfAborted();
    const driver = drivers[cycle % drivers.length];
    const { id } = await vmplug.attach('vm', image, { timeoutMs, driver });
    await vmplug.detach('vm', id, { timeoutMs });
    if (cycle % every !== 0) continue;
    const sampled = { stateDir, store, monitor, qemuPid: qemu.pid };
    const sample = await takeSample(sampled, cycle, performance.now() - started);
    samples.push(sample);
    onSample(sample);
  }
  return samples;
}
