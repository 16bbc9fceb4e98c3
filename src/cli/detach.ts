import type { Command } from 'commander';
import { deviceDocument, timelineText } from './device-document.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson, progress } from './output.ts';

/** `vmplug detach` */
export function addDetach(program: Command): void {
  const command = program
    .command('detach')
    .description('ask the guest to let go of a device, wait until it has, and release it')
    .argument('<sandbox>')
    .argument('<device>', 'its id, the beginning of it, or its source');
  timed(command, '10s', 'how long to wait for the guest');
  common(command).action(runDetach);
}

async function runDetach(sandbox: string, device: string, flags: TimedOptions): Promise<void> {
  const { Vmplug } = await import('../manager/vmplug.ts');
  await using vmplug = Vmplug.open({
    ...(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir }),
    onProgress: progress,
  });
  const { attachment, state, timeline } = await vmplug.detach(sandbox, device, {
    timeoutMs: flags.timeout,
    signal: interruptible(),
  });
  if (flags.json === true) {
    printJson('device', { ...deviceDocument(attachment), state, evidence: null, timeline });
    return;
  }
  const how = state === 'gone' ? 'released: its VM has ended' : 'released';
  print(`${attachment.id}  ${printable(attachment.source)} is ${how}`);
  // What another command has released meanwhile has none.
  const stages = timelineText(timeline);
  if (state === 'released' && stages !== '') print(`  timeline      ${stages}`);
}
