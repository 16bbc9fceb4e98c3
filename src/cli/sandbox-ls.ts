import type { Command } from 'commander';
import { readListing } from '../manager/listing.ts';
import { lifeOf } from '../sandbox/life.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, type CommonOptions } from './options.ts';
import { print, printJson, printTable } from './output.ts';
import { sandboxDocument, vmmText } from './sandbox-document.ts';

/** `vmplug sandbox ls` */
export function addSandboxLs(sandbox: Command): void {
  common(sandbox.command('ls').description('list the sandboxes')).action((flags: CommonOptions) => {
    const { sandboxes, attachments } = readListing(stateDirectory(flags.stateDir));
    const listed = sandboxes.map((record) => ({
      record,
      life: lifeOf(record),
      devices: attachments.filter((device) => device.sandbox === record.name).length,
    }));
    if (flags.json === true) {
      printJson('sandboxes', {
        sandboxes: listed.map(({ record, life, devices }) => ({ ...sandboxDocument(record), life, devices })),
      });
      return;
    }
    if (listed.length === 0) {
      print('no sandboxes');
      return;
    }
    const rows = listed.map(({ record, life, devices }) => [
      record.name,
      life,
      String(devices),
      record.origin,
      vmmText(record),
      record.socket,
    ]);
    printTable(['NAME', 'VM', 'DEVICES', 'ORIGIN', 'VMM', 'SOCKET'], rows);
  });
}
