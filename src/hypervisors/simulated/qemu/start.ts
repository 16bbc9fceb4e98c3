import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessagePoints } from './message-points.ts';
import { QmpListener } from './qmp-listener.ts';
import { SimulatedQemu, type SimulatedQemuOptions } from './simulated-qemu.ts';

/** A simulated QEMU on a socket of its own. */
export interface StartedSimulatedQemu extends AsyncDisposable {
  /** Path of its QMP socket. */
  readonly socket: string;
  readonly vm: SimulatedQemu;
  /** Every command and event passes here: where a conversation can be watched, held or cut. */
  readonly points: MessagePoints;
  readonly listener: QmpListener;
}

/**
 * Starts a simulated QEMU in this process. `socket`: where it listens, in a new temporary
 * directory by default, which goes with it.
 */
export async function startSimulatedQemu(
  options: SimulatedQemuOptions & { readonly socket?: string } = {},
): Promise<StartedSimulatedQemu> {
  const vm = new SimulatedQemu(options);
  const points = new MessagePoints();
  const directory = options.socket === undefined ? mkdtempSync(join(tmpdir(), 'simulated-qemu-')) : undefined;
  const socket = options.socket ?? join(directory ?? '', 'qmp');
  const forget = (): void => {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  };
  try {
    const listener = await QmpListener.listen(vm, socket, points);
    return {
      ...{ socket, vm, points, listener },
      [Symbol.asyncDispose]: async () => {
        await listener.close();
        forget();
      },
    };
  } catch (error) {
    forget();
    throw error;
  }
}
