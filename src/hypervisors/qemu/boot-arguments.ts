import * as z from 'zod';
import { VmplugError } from '../../api/errors.ts';
import { stringifyExact } from '../../api/exact-json.ts';
import { handsOver, type Command, type Plan } from '../../api/plan.ts';
import { escaped } from './option-text.ts';

/** The options that take what a QMP command takes, as JSON (man qemu-system-x86_64). */
const jsonOptions: ReadonlyMap<string, string> = new Map([
  ['blockdev-add', '-blockdev'],
  ['object-add', '-object'],
  ['netdev_add', '-netdev'],
  ['device_add', '-device'],
]);

/** The first descriptor that a program inherits beside its input, its output and its errors. */
const firstInherited = 3;

/** The plans that hand a connection over, in the order in which a QEMU that is started inherits them. */
export function inheriting(plans: readonly Plan[]): Plan[] {
  return plans.filter(handsOver);
}

/**
 * Turns plans into arguments that give a QEMU the same devices from the start: each step becomes
 * one option, with the same types and names, so that the device is detached later as if it had been
 * plugged. A connection that is handed over has come with the start: see {@link inheriting}. Pure.
 * @throws VmplugError `unsupported` for a step that cannot be said on the command line: none is
 *   ever left out
 */
export function bootArguments(plans: readonly Plan[]): string[] {
  const inherited = inheriting(plans);
  return plans.flatMap((plan) => {
    const index = inherited.indexOf(plan);
    const descriptor = index === -1 ? undefined : firstInherited + index;
    return plan.steps.flatMap(({ run }) => bootArgument(run, descriptor));
  });
}

function bootArgument(command: Command, descriptor: number | undefined): string[] {
  if (command.execute === 'chardev-add') return ['-chardev', socketClient(command, descriptor)];
  if (command.execute === 'getfd' && command.peer?.afterwards === 'hand-over') return [];
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
      addr: z.discriminatedUnion('type', [
        z.strictObject({ type: z.literal('unix'), data: z.strictObject({ path: z.string() }) }),
        z.strictObject({ type: z.literal('fd'), data: z.strictObject({ str: z.string() }) }),
      ]),
      server: z.literal(false),
      wait: z.literal(false).optional(),
      reconnect: z.int().optional(),
    }),
  }),
});

/** QEMU 7.2 takes no JSON here. A descriptor is its number: only a monitor has names for them. */
function socketClient(command: Command, descriptor: number | undefined): string {
  const read = socketClientArguments.safeParse(command.arguments);
  if (!read.success) {
    throw notAtBoot(command, `only a client of a UNIX socket can be said: ${z.prettifyError(read.error)}`);
  }
  const { id, backend } = read.data;
  const { addr, reconnect } = backend.data;
  if (addr.type === 'fd' && descriptor === undefined)
    throw notAtBoot(command, `nothing hands over the connection ${addr.data.str}`);
  const end = addr.type === 'fd' ? `fd=${descriptor}` : `path=${escaped(addr.data.path)}`;
  return [
    `socket,id=${escaped(id)},${end},server=off`,
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
