import * as z from 'zod';
import { deviceDrivers } from '../api/device-type.ts';
import { VmplugError } from '../api/errors.ts';
import { evidenceLevels } from '../api/evidence.ts';
import { imageFormats } from '../api/host-device.ts';
import { parseSource, type SourceScheme } from '../api/source.ts';
import type { ColdPlugOptions } from '../manager/call-options.ts';

/** The names of attach's flags, as JSON has them. */
const coldPlugObject = z.strictObject({
  source: z.string(),
  driver: z.enum(deviceDrivers).exactOptional(),
  readOnly: z.boolean().exactOptional(),
  shareRw: z.boolean().exactOptional(),
  force: z.boolean().exactOptional(),
  format: z.enum(imageFormats).exactOptional(),
  tag: z.string().exactOptional(),
  mac: z.string().exactOptional(),
  cache: z.enum(['none', 'writeback', 'writethrough', 'directsync', 'unsafe']).exactOptional(),
  aio: z.enum(['threads', 'native', 'io_uring']).exactOptional(),
  discard: z.enum(['ignore', 'unmap']).exactOptional(),
  wait: z.enum(evidenceLevels).exactOptional(),
});

/** What can be said beside the devices when one of them takes it. */
interface SharedFlags {
  readonly tag?: string;
  readonly mac?: string;
}

const takers: Readonly<Record<keyof SharedFlags, SourceScheme>> = {
  tag: 'vhost-user-fs',
  mac: 'vhost-user-net',
};

/**
 * Reads what `--cold-plug` was given: sources, and JSON objects with a source and the names of
 * attach's flags. `--tag` and `--mac` go to the one device that takes them.
 * @throws VmplugError `invalid-argument`; `unsupported` as {@link parseSource}
 */
export function readColdPlug(texts: readonly string[], flags: SharedFlags): ColdPlugOptions[] {
  const devices = texts.map((text) => (text.startsWith('{') ? fromJson(text) : { source: text }));
  const names = ['tag', 'mac'] as const;
  return names.reduce((given, name) => withShared(given, name, flags[name]), devices);
}

function fromJson(text: string): ColdPlugOptions {
  const read = coldPlugObject.safeParse(parseJson(text));
  if (!read.success) {
    throw wrong(
      '--cold-plug',
      text,
      z.prettifyError(read.error),
      'the names are those of the flags of attach: {"source":"./d.qcow2","driver":"virtio-scsi","readOnly":true}',
    );
  }
  const { cache, aio, discard, ...options } = read.data;
  const disk = {
    ...(cache === undefined ? {} : { cache }),
    ...(aio === undefined ? {} : { aio }),
    ...(discard === undefined ? {} : { discard }),
  };
  return { ...options, disk };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(
      '--cold-plug',
      text,
      `it is no JSON: ${error instanceof Error ? error.message : String(error)}`,
      `for a file of that name, write ./${text}`,
    );
  }
}

function withShared(
  devices: ColdPlugOptions[],
  name: keyof SharedFlags,
  value: string | undefined,
): ColdPlugOptions[] {
  if (value === undefined) return devices;
  const takes = ({ source }: ColdPlugOptions): boolean => parseSource(source).scheme === takers[name];
  const count = devices.filter(takes).length;
  if (count !== 1) {
    const reason = `it goes to the one device of the kind ${takers[name]} among those of --cold-plug, and there are ${count}`;
    const hint = `say it with the device: --cold-plug '{"source":"${takers[name]}:SOCKET","${name}":"${value}"}'`;
    throw wrong(`--${name}`, value, reason, hint);
  }
  return devices.map((device) => {
    if (!takes(device)) return device;
    if (device[name] === undefined) return { ...device, [name]: value };
    throw wrong(`--${name}`, value, `the device says ${device[name]} itself`, 'say it once');
  });
}

function wrong(flag: string, subject: string, reason: string, hint: string): VmplugError {
  return new VmplugError('invalid-argument', { action: `use ${flag}`, subject, reason, hint });
}
