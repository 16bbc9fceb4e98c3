import type { Command } from 'commander';
import type { OperationRecord } from '../api/operation.ts';
import type { Observation } from '../api/hypervisor.ts';
import type { DeviceView } from '../manager/views.ts';
import { hostPathOf, hostSizeOf, type HostDevice } from '../api/host-device.ts';
import { staysText } from './attach-output.ts';
import { deviceDocument, timelineText } from './device-document.ts';
import { addressText, functionLines } from './guest-text.ts';
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

function inspectDocument({ attachment, operations, observation, observations, problem }: DeviceView): object {
  return {
    ...deviceDocument(attachment),
    observed: observation ?? null,
    observedFunctions: observations ?? [],
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

function printView({ attachment, operations, observation, observations, problem }: DeviceView): void {
  const { host } = attachment;
  const stays = staysText(attachment);
  print(`${attachment.id}  ${printable(attachment.source)} in ${attachment.sandbox}`);
  const lines: [string, string][] = [
    ['state', attachment.state],
    ['evidence', attachment.evidence ?? 'none'],
    ['asked now', observation === undefined ? `no answer: ${problem?.reason ?? ''}` : observed(observation)],
    ['driver', attachment.driver],
    ...hostLines(host),
    ['in the guest', printable(addressText(attachment))],
    ...functionLines(attachment, observations).map((line): [string, string] => ['', line]),
    ...(stays === undefined ? [] : [['leaves', `it ${stays}`] satisfies [string, string]]),
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

function observed({ present, evidence, backend }: Observation): string {
  if (!present) return 'the VM does not have it';
  const seen = `present, ${evidence ?? 'no evidence'}`;
  if (backend !== 'lost') return seen;
  return `${seen}; the program behind the socket has gone: detach it and attach it anew`;
}
