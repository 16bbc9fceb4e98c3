import { Option, type Command } from 'commander';
import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import type { BlockDriver } from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import { evidenceLevels, type Evidence } from '../api/evidence.ts';
import type { ImageFormat } from '../api/host-device.ts';
import { deviceDocument, timelineText } from './device-document.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { print, printable, printJson, progress } from './output.ts';

interface AttachFlags extends TimedOptions {
  readonly driver: BlockDriver;
  readonly readOnly?: true;
  readonly shareRw?: true;
  readonly format?: ImageFormat;
  readonly cache?: NonNullable<DiskOptions['cache']>;
  readonly aio?: NonNullable<DiskOptions['aio']>;
  readonly discard?: NonNullable<DiskOptions['discard']>;
  readonly force?: true;
  readonly wait: Evidence;
  readonly dryRun?: true;
}

/** `vmplug attach` */
export function addAttach(program: Command): void {
  const command = program
    .command('attach')
    .description('plug a host device into a sandbox and wait until the guest has it')
    .argument('<sandbox>')
    .argument('<source>', 'an image file or block node')
    .addOption(
      new Option('--driver <driver>', 'what the guest sees')
        .choices(['virtio-blk', 'virtio-scsi'])
        .default('virtio-blk'),
    )
    .option('--read-only', 'the guest may not write; others may read the image too')
    .option('--share-rw', 'others that say so too may write at the same time')
    .addOption(
      new Option('--format <format>', 'what the image is, where it does not show').choices(['raw', 'qcow2']),
    )
    .addOption(
      new Option('--cache <mode>').choices(['none', 'writeback', 'writethrough', 'directsync', 'unsafe']),
    )
    .addOption(new Option('--aio <engine>').choices(['threads', 'native', 'io_uring']))
    .addOption(new Option('--discard <mode>').choices(['ignore', 'unmap']))
    .option('--force', 'attach although this host uses the disk (mounted, swap, device-mapper)')
    .addOption(
      new Option('--wait <evidence>', 'what has to be seen of the guest')
        .choices(evidenceLevels)
        .default('live'),
    )
    .option('--dry-run', 'print what would go over the wire, with what takes it back; change nothing');
  timed(command, '10s', 'how long to wait for the guest');
  common(command).action(runAttach);
}

async function runAttach(sandbox: string, source: string, flags: AttachFlags): Promise<void> {
  const { Vmplug } = await import('../manager/vmplug.ts');
  await using vmplug = Vmplug.open({
    ...(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir }),
    onProgress: progress,
  });
  const { cache, aio, discard } = flags;
  const options = {
    driver: flags.driver,
    readOnly: flags.readOnly ?? false,
    shareRw: flags.shareRw ?? false,
    force: flags.force ?? false,
    wait: flags.wait,
    timeoutMs: flags.timeout,
    signal: interruptible(),
    disk: {
      ...(cache === undefined ? {} : { cache }),
      ...(aio === undefined ? {} : { aio }),
      ...(discard === undefined ? {} : { discard }),
    },
    ...(flags.format === undefined ? {} : { format: flags.format }),
  };
  const file = sourcePath(source);
  if (flags.dryRun === true) {
    const planned = await vmplug.planAttach(sandbox, file, options);
    if (flags.json === true) printJson('plan', planDocument(planned));
    else printPlan(planned);
    return;
  }
  const attached = await vmplug.attach(sandbox, file, options);
  if (flags.json === true) printJson('device', deviceDocument(attached));
  else printAttached(attached);
}

const schemes = [
  'vfio',
  'mdev',
  'vhost-user-blk',
  'vhost-user-scsi',
  'vhost-user-net',
  'vhost-user-fs',
  'fs',
  'cdi',
];

/**
 * The path in a source. A source with a scheme names another kind of device.
 * @throws VmplugError `unsupported`
 */
function sourcePath(source: string): string {
  const scheme = schemes.find((name) => source.startsWith(`${name}:`));
  if (scheme === undefined) return source;
  throw new VmplugError('unsupported', {
    action: 'attach',
    subject: source,
    reason: `devices of the kind ${scheme} cannot be attached from the command line yet`,
    hint: `for a file of that name, write ./${source}`,
  });
}

function planDocument(planned: AttachmentRecord): object {
  const { sandbox, source, kind, driver, place, plan } = planned;
  return { sandbox, source, kind, driver, place, vmmId: plan.vmmId, steps: plan.steps };
}

function printPlan({ plan, sandbox, source }: AttachmentRecord): void {
  print(`attaching ${printable(source)} to ${sandbox} would send:`);
  plan.steps.forEach((step, index) => {
    print(`${index + 1}. ${step.summary}`);
    print(`   do    ${JSON.stringify(step.run)}`);
    print(`   undo  ${JSON.stringify(step.undo)}`);
  });
}

function printAttached(attached: AttachmentRecord): void {
  const { id, sandbox, source, evidence, guest, timeline } = attached;
  print(`${id}  ${printable(source)} is attached to ${sandbox}: ${evidence}`);
  const address = [guest.pci, guest.scsi].filter((part) => part !== undefined).join(' ');
  print(`  in the guest  ${guest.byId ?? ''}${address === '' ? '' : ` (${address})`}`);
  print(`  timeline      ${timelineText(timeline)}`);
}
