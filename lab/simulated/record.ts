import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitForSocket } from '../foreign-qemu.ts';
import { recordQemu } from './record-qemu.ts';

/**
 * Writes what real QEMUs say of themselves to `src/hypervisors/simulated/qemu/recorded`:
 * `node lab/simulated/record.ts NAME=PROGRAM [ARGUMENT…]`, where NAME is `q35-7.2.22` and the
 * like, and the arguments are more for that QEMU, as `-L` is.
 */
const folder = fileURLToPath(new URL('../../src/hypervisors/simulated/qemu/recorded/', import.meta.url));

const disk = (driver: string, more: string): string[] => [
  ...['-blockdev', `null-co,node-name=${driver}-node,read-zeroes=on`],
  // Unlike anything else there, so that it is told from the rest.
  ...['-device', `${driver},id=its-${driver},drive=${driver}-node,${more}`],
];
const port = ['-device', 'pcie-root-port,id=p0,bus=pcie.0,addr=2.0,chassis=1'];
const pci = (bus: string): string[] => [
  ...['-device', `virtio-scsi-pci,id=hba,bus=${bus},addr=1e`, ...disk('scsi-hd', 'bus=hba.0')],
  ...disk('virtio-blk-pci', `bus=${bus},addr=10`),
  ...['-device', `virtio-net-pci,id=nic,bus=${bus},addr=11,romfile=`],
  ...['-device', `pci-bridge,id=br,bus=${bus},addr=3,chassis_nr=5,shpc=on,romfile=`],
];
const machines: Readonly<Record<string, readonly string[]>> = {
  q35: ['-machine', 'q35', ...port, ...pci('pcie.0')],
  'q35-native': [
    ...['-machine', 'q35', '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'],
    ...[...port, ...pci('pcie.0')],
  ],
  pc: ['-machine', 'pc', ...pci('pci.0')],
  virt: ['-machine', 'virt', '-cpu', 'cortex-a57', ...port, ...pci('pcie.0')],
  s390x: [
    ...['-machine', 's390-ccw-virtio', '-device', 'virtio-scsi-ccw,id=hba,devno=fe.0.0000'],
    ...[...disk('scsi-hd', 'bus=hba.0'), ...disk('virtio-blk-ccw', 'devno=fe.0.0005')],
  ],
};

async function record(name: string, program: string, more: readonly string[]): Promise<void> {
  const kind = /^(.*)-\d+\.\d+\.\d+$/.exec(name)?.[1] ?? '';
  const machine = machines[kind];
  if (machine === undefined) throw new Error(`${kind} is none of ${Object.keys(machines).join(', ')}`);
  const directory = mkdtempSync(join(tmpdir(), 'record-qemu-'));
  const socket = join(directory, 'qmp');
  const child = spawn(
    program,
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-S', '-accel', 'tcg', '-m', '256M'],
      // The lab and vmplug start a VM with two serial ports, which are counted among its devices.
      ...['-serial', 'null', '-serial', 'null'],
      ...['-qmp', `unix:${socket},server=on,wait=off`, ...machine, ...more],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    await waitForSocket(socket, ended);
    writeFileSync(
      join(folder, `${name}.json`),
      `${JSON.stringify(await recordQemu(socket), undefined, 2)}\n`,
    );
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(directory, { recursive: true, force: true });
  }
}

const [what = '', ...more] = process.argv.slice(2);
const [name = '', program = ''] = what.split('=');
await record(name, program, more);
