import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Lab } from './harness.ts';

/** A QEMU that somebody other than vmplug started. */
export interface PlainQemu extends AsyncDisposable {
  readonly socket: string;
  readonly process: ChildProcess;
}

/**
 * Starts a QEMU without a guest, with a QMP socket in the lab's directory: q35 unless `args` has
 * a `-machine`. Ended by its handle.
 */
export async function startPlainQemu(lab: Lab, name: string, ...args: string[]): Promise<PlainQemu> {
  const socket = lab.path(`${name}.sock`);
  const machine = args.includes('-machine') ? [] : ['-machine', 'q35'];
  const child = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg', '-m', '128M'],
      ...[...machine, '-qmp', `unix:${socket},server=on,wait=off`, ...args],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => (words += bytes.toString()));
  const ended = once(child, 'exit');
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error(`QEMU did not start: ${words}`);
    await setTimeout(5);
  }
  return {
    socket,
    process: child,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Arguments for a root port that takes hot-plug, or does not. */
export function rootPort(id: string, number: number, hotplug = true): string[] {
  return [
    '-device',
    JSON.stringify({ driver: 'pcie-root-port', id, bus: 'pcie.0', addr: String(number + 1), chassis: number, hotplug }),
  ];
}
