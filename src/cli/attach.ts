import { Option, type Command } from 'commander';
import type { DiskOptions } from '../api/attachment.ts';
import { deviceDrivers, type DeviceDriver } from '../api/device-type.ts';
import { evidenceLevels, type Evidence } from '../api/evidence.ts';
import type { ImageFormat } from '../api/host-device.ts';
import { attachHelp } from './attach-help.ts';
import { planDocument, printAttached, printPlan, warnOfStaying } from './attach-output.ts';
import { deviceDocument } from './device-document.ts';
import { common, interruptible, timed, type TimedOptions } from './options.ts';
import { printJson, progress } from './output.ts';

interface AttachFlags extends TimedOptions {
  readonly driver?: DeviceDriver;
  readonly readOnly?: true;
  readonly shareRw?: true;
  readonly format?: ImageFormat;
  readonly cache?: NonNullable<DiskOptions['cache']>;
  readonly aio?: NonNullable<DiskOptions['aio']>;
  readonly discard?: NonNullable<DiskOptions['discard']>;
  readonly tag?: string;
  readonly mac?: string;
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
    .argument('<source>', 'a path, or a device by its scheme: see below')
    .addOption(
      new Option('--driver <driver>', 'what the guest sees (default: by the kind of device)').choices(
        deviceDrivers,
      ),
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
    .option('--tag <tag>', 'for vhost-user-fs: what the guest mounts')
    .option('--mac <address>', 'for vhost-user-net: the address of the card, 52:54:00:12:34:56')
    .option('--force', 'attach although this host uses it (mounted, swap, device-mapper, its network)')
    .addOption(
      new Option('--wait <evidence>', 'what has to be seen of the guest')
        .choices(evidenceLevels)
        .default('live'),
    )
    .option('--dry-run', 'print what would go over the wire, with what takes it back; change nothing');
  command.addHelpText('after', attachHelp);
  timed(command, '10s', 'how long to wait for the guest');
  common(command).action(runAttach);
}

async function runAttach(sandbox: string, source: string, flags: AttachFlags): Promise<void> {
  const { Vmplug } = await import('../manager/vmplug.ts');
  await using vmplug = Vmplug.open({
    ...(flags.stateDir === undefined ? {} : { stateDir: flags.stateDir }),
    onProgress: progress,
  });
  const { cache, aio, discard, format, tag, mac } = flags;
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
    ...(format === undefined ? {} : { format }),
    ...(tag === undefined ? {} : { tag }),
    ...(mac === undefined ? {} : { mac }),
  };
  if (flags.dryRun === true) {
    const planned = await vmplug.planAttach(sandbox, source, options);
    if (flags.json === true) printJson('plan', planDocument(planned));
    else printPlan(planned);
    return;
  }
  const attached = await vmplug.attach(sandbox, source, { ...options, onPlanned: warnOfStaying });
  if (flags.json === true) printJson('device', deviceDocument(attached));
  else printAttached(attached);
}
