import { VmplugError } from './errors.ts';

/** The longest node name of QEMU and the longest id of v1, in bytes. */
export const longestId = 31;
/** The longest path of a UNIX socket, in bytes (`sun_path` less its NUL). */
export const longestSocketPath = 107;
/** By this prefix our own devices and nodes are told from others' in a VMM. */
export const ownPrefix = 'vmplug-';

/** v1's `MakeNameID`: `<kind>-<id>` cut to `max` bytes, here between characters. */
export function makeNameID(kind: string, id: string, max: number = longestId): string {
  const bytes = Buffer.from(`${kind}-${id}`);
  let end = Math.min(max, bytes.length);
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}

/** Whether a byte goes on with a character that began before it in UTF-8. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/**
 * v1's `GetVirtDriveName`: 0 is `vda`, 25 `vdz`, 26 `vdaa`.
 * @throws VmplugError `invalid-argument` for a negative index
 */
export function getVirtDriveName(index: number): string {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw invalidIndex('name a virtio disk', index, 'an index is a whole number from 0');
  }
  let letters = '';
  for (let rest = index + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
    letters = String.fromCharCode(97 + ((rest - 1) % 26)) + letters;
  }
  return `vd${letters}`;
}

/**
 * v1's `GetSCSIIdLun`: 256 units on each of 256 targets.
 * @throws VmplugError `invalid-argument` outside 0 to 65535
 */
export function getSCSIIdLun(index: number): [scsiId: number, lun: number] {
  if (!Number.isInteger(index) || index < 0 || index > 65535) {
    throw invalidIndex('address a SCSI disk', index, 'an index is a whole number from 0 to 65535');
  }
  return [Math.floor(index / 256), index % 256];
}

/**
 * v1's `GetSCSIAddress`: `<scsi-id>:<lun>`.
 * @throws VmplugError `invalid-argument` outside 0 to 65535
 */
export function getSCSIAddress(index: number): string {
  return getSCSIIdLun(index).join(':');
}

/**
 * v1's `BuildSocketPath`.
 * @throws VmplugError `invalid-argument` when the path is empty, longer than 107 bytes, or has a NUL
 */
export function buildSocketPath(...parts: string[]): string {
  const path = parts
    .filter((part) => part !== '')
    .join('/')
    .replaceAll(/\/{2,}/g, '/');
  const length = Buffer.byteLength(path);
  if (length === 0 || length > longestSocketPath) {
    throw new VmplugError('invalid-argument', {
      action: 'use the socket path',
      subject: path,
      reason: `a UNIX socket's path has 1 to ${longestSocketPath} bytes, this one ${length}`,
      hint: 'use a shorter directory',
    });
  }
  if (path.includes('\0')) {
    throw new VmplugError('invalid-argument', {
      action: 'use the socket path',
      subject: path,
      reason: 'it has a NUL character, where the kernel would cut it off',
    });
  }
  return path;
}

/** The name of a device in the VMM. Id and generation make it unique in the VM's life. */
export function vmmDeviceId(id: string, generation: number): string {
  return `${ownPrefix}${id}-${generation}`;
}

/** Which attach of its device a name of {@link vmmDeviceId} is from; 0 for a name of somebody else's. */
export function generationOf(vmmId: string): number {
  return Number(/^vmplug-[0-9a-f]+-(\d+)(?:\.\d+)?$/.exec(vmmId)?.[1] ?? 0);
}

/** The serial that the guest is shown: at most 20 characters, the same on every attach. */
export function serialOf(id: string): string {
  return `vp${id}`;
}

const sandboxName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** @throws VmplugError `invalid-argument` */
export function checkSandboxName(name: string): string {
  if (!sandboxName.test(name)) {
    throw new VmplugError('invalid-argument', {
      action: 'name a sandbox',
      subject: name,
      reason: 'a name has 1 to 64 letters, digits, ".", "_" or "-", and starts with a letter or digit',
    });
  }
  return name;
}

function invalidIndex(action: string, index: number, reason: string): VmplugError {
  return new VmplugError('invalid-argument', { action, subject: String(index), reason });
}
