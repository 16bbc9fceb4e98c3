import type { Command } from 'commander';
import type { OperationRecord } from '../api/operation.ts';
import type { DeviceView } from '../manager/vmplug.ts';
import { hostPathOf, hostSizeOf, type HostDevice } from '../api/host-device.ts';
import { addressText, deviceDocument, timelineText } from './device-document.ts';
import { errorDocument } from './errors.ts';
import { common, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson, size } from './output.ts';

/** `vmplug inspect` */
export function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .description('show all that is known of a device, asking its VM')
    .argument('<device>', 'its id, the beginning of it, or its source');
  timed(command, '5s', 'how long to wait for the VM');
  common(command).action(async (device: string, flags: TimedOptions) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    const view = await vmplug.inspect(device, { timeoutMs: flags.timeout });
    if (flags.json === true) printJson('device', inspectDocument(view));
    else printView(view);
  });
}

function inspectDocument({ attachment, operations, observation, problem }: DeviceView): object {
  return {
    ...deviceDocument(attachment),
    observed: observation ?? null,
    problem: problem === undefined ? null : errorDocument(problem),
    layers: attachment.host.kind === 'block' ? attachment.host.layers : [],
    functions: attachment.host.kind === 'vfio' ? attachment.host.functions : [],
    identities: attachment.host.identities,
    plan: attachment.plan,
    operations: operations.map(operationDocument),
  };
}

function operationDocument(operation: OperationRecord): object {
  const { plan: _, startedAt, deadlineAt, endedAt, ...rest } = operation;
  return {
    ...rest,
    startedAt: new Date(startedAt).toISOString(),
    deadlineAt: new Date(deadlineAt).toISOString(),
    endedAt: endedAt === undefined ? null : new Date(endedAt).toISOString(),
  };
}

function printView({ attachment, operations, observation, problem }: DeviceView): void {
  const { host, guest } = attachment;
  print(`${attachment.id}  ${printable(attachment.source)} in ${attachment.sandbox}`);
  const lines: [string, string][] = [
    ['state', attachment.state],
    ['evidence', attachment.evidence ?? 'none'],
    ['asked now', observation === undefined ? `no answer: ${problem?.reason ?? ''}` : observed(observation)],
    ['driver', attachment.driver],
    ...hostLines(host),
    ['in the guest', addressText(guest)],
    ['place', JSON.stringify(attachment.place)],
    ['in the VMM', attachment.plan.vmmId],
  ];
  for (const [name, value] of lines) print(`  ${name.padEnd(13)} ${value}`);
  for (const operation of operations) {
    print(`  ${operation.action.padEnd(13)} ${operation.state}: ${timelineText(operation.timeline)}`);
    if (operation.error !== undefined) print(`  ${''.padEnd(13)} ${operation.error.message}`);
  }
}

function hostLines(host: HostDevice): [string, string][] {
  const bytes = hostSizeOf(host);
  const modes = [host.readOnly ? 'read-only' : '', host.shareRw ? 'share-rw' : ''].filter(
    (mode) => mode !== '',
  );
  return [
    ['on the host', hostText(host)],
    ...(bytes === undefined ? [] : [['size', [size(bytes), ...modes].join(', ')] satisfies [string, string]]),
  ];
}

function hostText(host: HostDevice): string {
  if (host.kind === 'block') {
    return host.layers.map(({ path, format }) => `${printable(path)} (${format})`).join(' ← ');
  }
  if (host.kind !== 'vfio') return printable(hostPathOf(host));
  return `${hostPathOf(host)}: ${host.functions.map(({ address }) => address).join(', ')}`;
}

function observed({ present, evidence }: NonNullable<DeviceView['observation']>): string {
  return present ? `present, ${evidence ?? 'no evidence'}` : 'the VM does not have it';
}
