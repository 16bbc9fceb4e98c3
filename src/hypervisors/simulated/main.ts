import { RealClock, VirtualClock } from './qemu/clock.ts';
import { listenForControl } from './qemu/control.ts';
import { programOptions, usage } from './qemu/program-options.ts';
import { startSimulatedQemu, type StartedSimulatedQemu } from './qemu/start.ts';

/**
 * The simulated QEMU as a program: `node src/hypervisors/simulated/main.ts --qmp SOCKET`. It says
 * `ready` when all its sockets are there, and ends with SIGTERM or when its last VM has.
 */
async function main(args: readonly string[]): Promise<void> {
  const { sockets, control, time, ...shape } = programOptions(args);
  const clock = time === 'real' ? new RealClock() : new VirtualClock();
  const vms = new Map<string, StartedSimulatedQemu>();
  for (const socket of sockets) {
    vms.set(socket, await startSimulatedQemu({ ...shape, name: socket, socket, clock }));
  }
  const server = control === undefined ? undefined : await listenForControl(control, { clock, vms });
  const end = (): void => {
    server?.close();
    for (const { vm } of vms.values()) vm.shutDown('host-signal');
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.stdout.write('ready\n');
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${usage}\n`);
  process.exitCode = 2;
}
