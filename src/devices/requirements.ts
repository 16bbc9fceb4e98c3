import { VmplugError } from '../api/errors.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { KindRequest } from './device-kind.ts';

/** Feature of a VM whose memory other processes can map; a vhost-user back end needs it. */
export const sharedMemory = 'memory:shared';

/**
 * Refuses a device that needs what the VM doesn't have.
 * @throws VmplugError `unsupported` for the first feature that is missing
 */
export function requireFeatures(request: KindRequest, facts: VmmFacts, features: readonly string[]): void {
  const feature = features.find((each) => !facts.features.includes(each));
  if (feature === undefined) return;
  throw new VmplugError('unsupported', {
    action: 'plan the device',
    subject: request.host.source,
    ...explanation(feature, facts),
    facts: { feature },
  });
}

function explanation(feature: string, facts: VmmFacts): { reason: string; hint: string } {
  if (feature === sharedMemory) {
    return {
      reason: "the VM's memory is not shared, so the program behind the socket cannot reach it",
      hint: 'start the VM anew with shared memory: vmplug sandbox run --shared-memory, or QEMU with -object memory-backend-memfd,id=ram,size=<its memory>,share=on -numa node,memdev=ram',
    };
  }
  return {
    reason: `this ${facts.type} ${facts.version} was built without ${feature}`,
    hint: feature.startsWith('aio:') ? 'choose another --aio, or leave it out' : 'use a VMM that has it',
  };
}

/**
 * Refuses the options of disk images for what is none.
 * @throws VmplugError `invalid-argument`
 */
export function refuseDiskOptions(request: KindRequest): void {
  const [option] = Object.keys(request.options);
  if (option === undefined) return;
  throw new VmplugError('invalid-argument', {
    action: 'plan the device',
    subject: request.host.source,
    reason: `${option} is an option of disk images`,
    hint: `leave --${option} out`,
  });
}
