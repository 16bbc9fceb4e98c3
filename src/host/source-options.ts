import { VmplugError } from '../api/errors.ts';
import type { ParsedSource } from '../api/source.ts';

/** What can be said of a source besides its name, where its kind takes it. */
export interface KindOptions {
  readonly readOnly?: boolean | undefined;
  readonly shareRw?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly format?: string | undefined;
  readonly tag?: string | undefined;
  readonly mac?: string | undefined;
}

const taken: Readonly<Record<ParsedSource['scheme'], readonly (keyof KindOptions)[]>> = {
  path: ['readOnly', 'shareRw', 'force', 'format'],
  pmem: ['readOnly', 'shareRw', 'force'],
  vfio: ['force'],
  mdev: ['force'],
  'vfio-ap': ['force'],
  'vhost-user-blk': [],
  'vhost-user-scsi': [],
  'vhost-user-net': ['mac'],
  'vhost-user-fs': ['tag'],
};

/** Each option as the command line spells it. */
const spelling: Readonly<Record<keyof KindOptions, string>> = {
  readOnly: '--read-only',
  shareRw: '--share-rw',
  force: '--force',
  format: '--format',
  tag: '--tag',
  mac: '--mac',
};

const names = ['readOnly', 'shareRw', 'force', 'format', 'tag', 'mac'] as const;

/**
 * Refuses what the kind of the source would silently ignore.
 * @throws VmplugError `invalid-argument` which names the option
 */
export function checkTaken(source: string, { scheme }: ParsedSource, options: KindOptions): void {
  // What is left out or false asks for nothing.
  const asked = names.filter((name) => options[name] !== undefined && options[name] !== false);
  const wrong = asked.find((name) => !taken[scheme].includes(name));
  if (wrong === undefined) return;
  const kind = scheme === 'path' ? 'a disk' : `a device of the kind ${scheme}`;
  const others = Object.entries(taken).flatMap(([name, known]) =>
    known.includes(wrong) ? [name === 'path' ? 'disks' : name] : [],
  );
  throw new VmplugError('invalid-argument', {
    action: 'use as a host device',
    subject: source,
    reason: `${kind} does not take ${spelling[wrong]}`,
    hint: `leave ${spelling[wrong]} out; it is for ${others.join(', ')}`,
    facts: { option: wrong },
  });
}
