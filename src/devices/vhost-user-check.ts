import { VmplugError, type ErrorDetails } from '../api/errors.ts';
import type { ErrorCode } from '../api/error-codes.ts';
import type { HostVhostUser } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { KindRequest } from './device-kind.ts';

/** In bytes (virtio 1.2, 5.11.4, `tag`). */
const longestTag = 36;

/**
 * Refuses a vhost-user device that lacks what its kind needs, or that this machine cannot take.
 * v1 left such a device out of the VM without a word.
 * @throws VmplugError `invalid-argument`, `unsupported`
 */
export function checkVhostUser({ host, driver }: KindRequest<HostVhostUser>, facts: VmmFacts): void {
  if (host.kind === 'vhost-user-net' && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(host.mac ?? '')) {
    throw refusal('invalid-argument', host, {
      reason: 'a network card needs a hardware address',
      hint: 'give one: --mac 52:54:00:12:34:56',
    });
  }
  if (host.kind === 'vhost-user-fs' && !isTag(host.tag ?? '')) {
    throw refusal('invalid-argument', host, {
      reason: `a shared file system needs a tag of 1 to ${longestTag} bytes`,
      hint: 'give the tag that the guest is to mount: --tag NAME',
    });
  }
  if (host.readOnly) {
    throw refusal('unsupported', host, {
      reason: 'the program behind the socket decides what may be written, not the VMM',
      hint: 'start that program read-only, and leave --read-only out',
    });
  }
  if (facts.machine.startsWith('s390-ccw')) {
    throw refusal('unsupported', host, {
      reason: `${driver} is plugged over PCI, and ${facts.machine} has its virtio devices on channels`,
      hint: 'plug disks as --driver virtio-blk-ccw',
    });
  }
}

function isTag(tag: string): boolean {
  const length = new TextEncoder().encode(tag).length;
  return length >= 1 && length <= longestTag;
}

function refusal(
  code: ErrorCode,
  host: HostVhostUser,
  details: Pick<ErrorDetails, 'reason' | 'hint'>,
): VmplugError {
  return new VmplugError(code, { action: 'plan the device', subject: host.source, ...details });
}
