import * as z from 'zod';
import { VmplugError } from '../../api/errors.ts';
import { stringifyExact } from '../../api/exact-json.ts';
import type { Command, Plan } from '../../api/plan.ts';
import { escaped } from './option-text.ts';

/** The options that take what a QMP command takes, as JSON (man qemu-system-x86_64). */
const jsonOptions: ReadonlyMap<string, string> = new Map([
  ['blockdev-add', '-blockdev'],
  ['object-add', '-object'],
  ['netdev_add', '-netdev'],
  ['device_add', '-device'],
]);

/**
 * Turns a plan into arguments that give a QEMU the same devices from the start: each of its
 * steps becomes one option, with the same types and names, so that the device is detached
 * later as if it had been plugged. Pure.
 * @throws VmplugError `unsupported` for a step that cannot be said on the command line: none is
 *   ever left out
 */
export function bootArguments(plan: Plan): string[] {
  return plan.steps.flatMap(({ run }) => bootArgument(run));
}

function bootArgument(command: Command): string[] {
  if (command.execute === 'chardev-add') return ['-chardev', socketClient(command)];
  const option = jsonOptions.get(command.execute);
  if (option === undefined) throw notAtBoot(command, 'the command line of QEMU has no option for it');
  return [option, stringifyExact(command.arguments ?? {})];
}

/** What is plugged over QMP by default listens; only what connects has its peer there already. */
const socketClientArguments = z.strictObject({
  id: z.string(),
  backend: z.strictObject({
    type: z.literal('socket'),
    data: z.strictObject({
      addr: z.strictObject({ type: z.literal('unix'), data: z.strictObject({ path: z.string() }) }),
      server: z.literal(false),
      wait: z.literal(false).optional(),
      reconnect: z.int().optional(),
    }),
  }),
});

/** QEMU 7.2 takes no JSON here. */
function socketClient(command: Command): string {
  const read = socketClientArguments.safeParse(command.arguments);
  if (!read.success) {
    throw notAtBoot(command, `only a client of a UNIX socket can be said: ${z.prettifyError(read.error)}`);
  }
  const { id, backend } = read.data;
  const { addr, reconnect } = backend.data;
  return [
    `socket,id=${escaped(id)},path=${escaped(addr.data.path)},server=off`,
    ...(reconnect === undefined ? [] : [`reconnect=${reconnect}`]),
  ].join(',');
}

function notAtBoot({ execute }: Command, reason: string): VmplugError {
  return new VmplugError('unsupported', {
    action: 'start a VM with',
    subject: execute,
    reason,
    hint: 'start the VM without it, and attach the device then',
    facts: { command: execute },
  });
}
