import type { Command } from 'commander';
import { readListing } from '../manager/listing.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { lifeOf } from '../sandbox/life.ts';
import { deviceDocument } from './device-document.ts';
import { shortAddress } from './guest-text.ts';
import { hostSizeOf, type HostDevice } from '../api/host-device.ts';
import { common, type CommonOptions } from './options.ts';
import { print, printJson, size, printTable } from './output.ts';

/** `vmplug ls` */
export function addLs(program: Command): void {
  common(
    program.command('ls').description('list the devices of a sandbox, or of all').argument('[sandbox]'),
  ).action((sandbox: string | undefined, flags: CommonOptions) => {
    const { attachments, sandboxes } = readListing(stateDirectory(flags.stateDir), sandbox);
    const ended = new Set(sandboxes.filter((each) => lifeOf(each) === 'ended').map(({ name }) => name));
    if (flags.json === true) {
      const devices = attachments.map((device) => ({
        ...deviceDocument(device),
        vmEnded: ended.has(device.sandbox),
      }));
      printJson('devices', { devices });
      return;
    }
    if (attachments.length === 0) {
      print(sandbox === undefined ? 'no devices' : `no devices in ${sandbox}`);
      return;
    }
    const rows = attachments.map((device) => [
      device.id,
      device.sandbox,
      device.driver,
      ended.has(device.sandbox) ? `${device.state}, VM ended` : device.state,
      device.evidence ?? '-',
      sizeText(device.host),
      shortAddress(device),
      device.source,
    ]);
    printTable(['ID', 'SANDBOX', 'DRIVER', 'STATE', 'EVIDENCE', 'SIZE', 'GUEST', 'SOURCE'], rows);
  });
}

function sizeText(host: HostDevice): string {
  const bytes = hostSizeOf(host);
  return bytes === undefined ? '-' : size(bytes);
}
