import { expect } from 'vitest';
import { VmplugError } from '../../api/errors.ts';
import type { JsonObject } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import { SimulatedHypervisor, type SimulatedMachine } from './index.ts';

export const limits = { timeoutMs: 5_000 };

export function connected(machine: SimulatedMachine): SimulatedHypervisor {
  return new SimulatedHypervisor(machine);
}

/** What becomes of commands that leave together: `ok`, or the code and reason of the error. */
export async function outcomes(hypervisor: SimulatedHypervisor, ...commands: Command[]): Promise<string[]> {
  const replies = await Promise.allSettled(hypervisor.submit(commands, limits));
  return replies.map((reply) => {
    if (reply.status === 'fulfilled') return 'ok';
    expect(reply.reason).toBeInstanceOf(VmplugError);
    return reply.reason instanceof VmplugError ? `${reply.reason.code}: ${reply.reason.reason}` : '';
  });
}

/** The words with which a machine refuses commands, one after the other; `ok` where it does not. */
export function refusals(machine: SimulatedMachine, ...commands: Command[]): string[] {
  const before = machine.log.length;
  for (const command of commands) {
    try {
      machine.execute(command);
    } catch {
      // The log has the machine's words.
    }
  }
  return machine.log.slice(before).map(({ refused }) => refused ?? 'ok');
}

export function node(name: string, filename = '/disk'): Command {
  return {
    execute: 'blockdev-add',
    arguments: {
      driver: 'raw',
      'node-name': name,
      'read-only': false,
      file: { driver: 'file', 'node-name': `${name}-f`, filename },
    },
  };
}

export function removeNode(name: string): Command {
  return { execute: 'blockdev-del', arguments: { 'node-name': name } };
}

/** `device_add` with these arguments. */
export function add(driver: string, id: string, more: JsonObject = {}): Command {
  return { execute: 'device_add', arguments: { driver, id, ...more } };
}

/** A disk on a root port, with the node of its name. */
export function plug(id: string, bus = 'port0'): Command {
  return add('virtio-blk-pci', id, { bus, addr: '00', drive: id });
}

export function unplug(id: string): Command {
  return { execute: 'device_del', arguments: { id } };
}

/** A character device connected to `/run/<id>`. */
export function chardev(id: string): Command {
  const data = { addr: { type: 'unix', data: { path: `/run/${id}` } }, server: false };
  return { execute: 'chardev-add', arguments: { id, backend: { type: 'socket', data } } };
}

/** A command that takes nothing but an id. */
export function byId(execute: string, id: string): Command {
  return { execute, arguments: { id } };
}
