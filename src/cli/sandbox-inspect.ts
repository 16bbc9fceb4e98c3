import type { Command } from 'commander';
import { placeTransports, type Place } from '../api/place.ts';
import type { LiveView, SandboxView } from '../manager/views.ts';
import { deviceDocument } from './device-document.ts';
import { errorDocument } from './errors.ts';
import { common, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson } from './output.ts';
import { sandboxDocument, vmmText } from './sandbox-document.ts';

/** `vmplug sandbox inspect` */
export function addSandboxInspect(sandbox: Command): void {
  const command = sandbox
    .command('inspect')
    .description('show what a VM is, what it has, and how much more fits')
    .argument('<name>');
  timed(command, '5s', 'how long to wait for the VM');
  common(command).action(async (name: string, flags: TimedOptions) => {
    const { Vmplug } = await import('../manager/vmplug.ts');
    await using vmplug = Vmplug.open(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir });
    const view = await vmplug.inspectSandbox(name, { timeoutMs: flags.timeout });
    if (flags.json === true) printJson('sandbox', viewDocument(view));
    else printView(view);
  });
}

function viewDocument({ record, life, attachments, live, problem }: SandboxView): object {
  return {
    ...sandboxDocument(record),
    life,
    status: live?.status ?? null,
    places: live?.places ?? null,
    buses:
      live?.buses.map(({ name, kind, transport, capacity, taken, refuses }) => ({
        name,
        kind,
        transport,
        capacity,
        taken: taken.size,
        refuses: refuses ?? null,
      })) ?? null,
    features: record.facts.features,
    problem: problem === undefined ? null : errorDocument(problem),
    devices: attachments.map(deviceDocument),
  };
}

function printView({ record, life, attachments, live, problem }: SandboxView): void {
  print(`${record.name}  ${vmmText(record)}`);
  print(`  process  ${record.process?.pid ?? 'not known'} (${life})`);
  print(`  socket   ${printable(record.socket)}`);
  print(`  devices  ${attachments.length}`);
  if (live === undefined) {
    print(`  no answer: ${problem?.reason ?? ''}`);
    return;
  }
  print(`  status   ${live.status}`);
  print(`  free     ${freeText(live.places)}`);
  for (const bus of live.buses) {
    const state = bus.refuses ?? `${bus.taken.size} of ${bus.capacity} taken`;
    print(`  bus      ${bus.name} (${bus.kind}): ${state}`);
  }
}

const names: Readonly<Record<Place['transport'], string>> = {
  pci: 'PCI slots',
  scsi: 'SCSI units',
  ccw: 'channel device numbers',
  memory: 'memory slots',
  ap: 'sets of crypto adapters',
  slot: 'drive slots',
};

function freeText(places: LiveView['places']): string {
  return placeTransports
    .flatMap((transport) => {
      const count = places[transport];
      return count === undefined ? [] : [`${count.free} of ${count.total} ${names[transport]}`];
    })
    .join(', ');
}
