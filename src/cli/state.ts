import type { Command } from 'commander';
import { addStateExport } from './state-export.ts';
import { addStateImport } from './state-import.ts';

/** `vmplug state` */
export function addState(program: Command): void {
  const state = program
    .command('state')
    .description('take over sandboxes from Kata Containers 1.x, and give them back')
    .addHelpText('after', examples);
  addStateImport(state);
  addStateExport(state);
}

const examples = `
Examples:
  vmplug state import /run/vc/sbs/SANDBOX/persist.json --name vm1
  vmplug state export vm1 --json > persist.json
  vmplug state export --dir /run/vc`;
