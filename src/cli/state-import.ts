import type { Command } from 'commander';
import type { V1Imported } from '../manager/v1/import.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson, printTable } from './output.ts';
import { sandboxDocument } from './sandbox-document.ts';

interface ImportFlags extends TimedOptions {
  readonly name?: string;
}

/** `vmplug state import` */
export function addStateImport(state: Command): void {
  const command = state
    .command('import')
    .description(
      "take over a sandbox from v1's persist.json, with its devices; neither file nor VM is changed",
    )
    .argument('<file>', "a sandbox's persist.json, or the directory that it is in")
    .option('--name <name>', "what to call the sandbox (default: v1's id of it)")
    .addHelpText('after', examples);
  timed(command, '10s', 'how long to wait for a runtime that has the sandbox locked');
  common(command).action(async (file: string, flags: ImportFlags) => {
    const { importV1State } = await import('../manager/v1/import.ts');
    const imported = await importV1State({
      stateDir: stateDirectory(flags.stateDir),
      file,
      ...(flags.name === undefined ? {} : { name: flags.name }),
      timeoutMs: flags.timeout,
      signal: interruptible(),
    });
    if (flags.json === true) printJson('import', importDocument(imported));
    else printImported(imported);
  });
}

function importDocument({ sandbox, containers, devices, skipped }: V1Imported): object {
  return {
    sandbox: sandboxDocument(sandbox),
    containers,
    devices: devices.map(({ record: { state, info }, lost }) => ({
      id: state.ID,
      kind: state.Type,
      references: state.RefCount,
      attachments: state.AttachCount,
      hostPath: info?.HostPath ?? '',
      lost,
    })),
    skipped,
  };
}

function printImported({ sandbox, containers, devices, skipped }: V1Imported): void {
  const process = sandbox.process === undefined ? 'no process found' : `process ${sandbox.process.pid}`;
  print(`${sandbox.name}  ${sandbox.hypervisor}, imported: ${process}`);
  print(`  socket      ${printable(sandbox.socket)}`);
  print(`  containers  ${containers.length === 0 ? 'none' : containers.map(printable).join(', ')}`);
  print(`  devices     ${devices.length}`);
  if (devices.length > 0) {
    const rows = devices.map(({ record: { state, info } }) => [
      state.ID,
      state.Type,
      String(state.RefCount),
      String(state.AttachCount),
      info?.HostPath === '' ? '-' : (info?.HostPath ?? '-'),
    ]);
    printTable(['ID', 'KIND', 'REFS', 'ATTACHED', 'HOST PATH'], rows);
  }
  const incomplete = devices.filter(({ lost }) => lost.length > 0);
  if (incomplete.length > 0) print('v1 did not keep, so it has to be found again when it is needed:');
  for (const { record, lost } of incomplete) print(`  ${printable(record.state.ID)}  ${lost.join(', ')}`);
  for (const { id, type } of skipped) {
    print(`${printable(id)}  skipped: ${printable(type)} is no type of device that v1 knows`);
  }
}

const examples = `
Examples:
  vmplug state import /run/vc/sbs/SANDBOX
  vmplug state import ./persist.json --name vm1 --json`;
