import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RealClock } from '../../src/hypervisors/simulated/qemu/clock.ts';
import { holdAt } from '../../src/hypervisors/simulated/qemu/hold-point.ts';
import type { SimulatedMachineType } from '../../src/hypervisors/simulated/qemu/recordings.ts';
import { startSimulatedQemu } from '../../src/hypervisors/simulated/qemu/start.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';

/** All of vmplug, from a file to the socket, against the simulated QEMU. */
const limits = { timeoutMs: 15_000 };
const quickGuest = { takesMs: 2, answersMs: 2 };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-simulated-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function image(name: string): string {
  const path = join(directory, name);
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

const ways: [SimulatedMachineType, string, 'virtio-blk' | 'virtio-scsi' | 'virtio-blk-ccw'][] = [
  ['q35', '7.2.22', 'virtio-blk'],
  ['q35', '7.2.22', 'virtio-scsi'],
  ['q35', '10.0.2', 'virtio-blk'],
  ['pc', '7.2.22', 'virtio-blk'],
  ['pc', '10.0.2', 'virtio-scsi'],
  ['s390x', '7.2.22', 'virtio-blk-ccw'],
  ['s390x', '7.2.22', 'virtio-scsi'],
];
test.each(ways)('%s %s: a disk in and out as %s', async (machine, version, driver) => {
  await using qemu = await startSimulatedQemu({
    machine,
    version,
    clock: new RealClock(),
    guest: quickGuest,
  });
  await using vmplug = Vmplug.open({ stateDir: join(directory, 'state') });
  await vmplug.adopt('vm', qemu.socket, limits);
  const attached = await vmplug.attach('vm', image('disk'), { ...limits, driver });
  expect(attached).toMatchObject({ state: 'attached', evidence: 'live' });
  expect(await vmplug.doctor(limits)).toEqual([]);
  expect(await vmplug.detach('vm', attached.id, limits)).toBeDefined();
  expect(qemu.vm.machine.devices).toEqual([]);
  expect(qemu.vm.machine.backEnds.names).toEqual([]);
  expect(await vmplug.doctor(limits)).toEqual([]);
});

test('the connection is cut behind device_add: nothing is lost, and nothing is plugged twice', async () => {
  await using qemu = await startSimulatedQemu({ clock: new RealClock(), guest: quickGuest });
  await using vmplug = Vmplug.open({ stateDir: join(directory, 'state') });
  await vmplug.adopt('vm', qemu.socket, limits);
  const held = holdAt(qemu.points, { name: 'device_add', phase: 'done' });
  const attach = vmplug.attach('vm', image('disk'), limits).then(
    () => 'attached',
    (error: unknown) => String(error),
  );
  await held.reached;
  held.release('drop');
  await attach;
  await vmplug.doctor({ ...limits, repair: true });
  expect(await vmplug.doctor(limits)).toEqual([]);
  const plugged = qemu.vm.machine.devices.map(({ id }) => id);
  expect(plugged).toHaveLength(vmplug.list('vm').length);
  expect(qemu.vm.machine.log.filter(({ command }) => command.execute === 'device_add')).toHaveLength(1);
});
