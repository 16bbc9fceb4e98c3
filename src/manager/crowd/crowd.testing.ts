import { join } from 'node:path';

/** Who attaches what where: clients of several processes that meet in the same sandboxes. */

export const processes = 4;
export const clientsOfProcess = 4;
const clients = processes * clientsOfProcess;
export const devicesOfSandbox = 10;

/** What a process of clients is started with. */
export interface CrowdTask {
  readonly directory: string;
  readonly sandboxes: number;
  /** Of {@link processes}. */
  readonly process: number;
}

export type Phase = 'attach' | 'detach';

/** What a process says. */
export type CrowdSaid =
  | { readonly ready: true }
  /** That many sandboxes are done by each of its clients. */
  | { readonly sandboxes: number }
  | { readonly done: true; readonly milliseconds: readonly number[]; readonly failed: readonly string[] };

export function stateOf(directory: string): string {
  return join(directory, 'state');
}

export function sandboxName(index: number): string {
  return `vm${index}`;
}

export function socketPath(directory: string, index: number | '%d'): string {
  return join(directory, `${index}.qmp`);
}

export function imagePath(directory: string, sandbox: number, device: number): string {
  return join(directory, 'images', `${sandbox}-${device}`);
}

/** An image that every client wants at some time: one has it. */
export function wantedByAll(directory: string): string {
  return join(directory, 'images', 'wanted-by-all');
}

/**
 * The work of one client, sandbox by sandbox: one half of the devices of a sandbox is attached by one client, the
 * other by one of another process, and each is detached by the one that did not attach it.
 */
export function workOf(
  client: number,
  phase: Phase,
  sandboxes: number,
): { sandbox: number; devices: number[] }[] {
  const halves = phase === 'attach' ? [0, 1] : [1, 0];
  return halves
    .flatMap((half, side) => {
      const first = (client + clients - side * (clientsOfProcess + 1)) % clients;
      const devices = Array.from({ length: devicesOfSandbox / 2 }, (_, index) => half * 5 + index);
      return Array.from({ length: Math.ceil(sandboxes / clients) }, (_, index) => first + index * clients)
        .filter((sandbox) => sandbox < sandboxes)
        .map((sandbox) => ({ sandbox, devices }));
    })
    .toSorted((a, b) => a.sandbox - b.sandbox);
}
