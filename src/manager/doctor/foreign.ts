import type { PluggedDevice } from '../../api/hypervisor.ts';
import { unitsOf } from '../../api/plan.ts';
import { blockKey } from '../../host/device-number.ts';
import { identityAt } from '../../host/disk/host-usage.ts';
import type { Claim } from '../../store/store.ts';
import { person, type Finding } from './finding.ts';
import { asking, type Look } from './look.ts';

/**
 * Devices that somebody else plugged into the running VM. They are theirs and are never touched; it is a
 * problem only where one uses a host device that is claimed here, or sits where one of ours is to be.
 */
export async function foreignDevices(context: Look): Promise<Finding[]> {
  const { store, sandbox, hypervisor } = context;
  const found = (await hypervisor.foreignDevices?.(asking(context))) ?? [];
  return store.read((tx) => {
    const places = tx
      .attachments(sandbox.name)
      .flatMap((attachment) => unitsOf(attachment).map(({ place }) => ({ place, id: attachment.id })));
    return found.map((device) => {
      const claim = claimKeys(device).flatMap((key) => tx.holders(key))[0];
      const sharer = places.find(({ place }) => place.bus === device.bus && isSamePlace(device, place));
      return finding(sandbox.name, device, claim, sharer?.id);
    });
  });
}

function isSamePlace({ slot, isOnPort }: PluggedDevice, place: { readonly transport: string }): boolean {
  return place.transport === 'pci' && (isOnPort || ('slot' in place && place.slot === slot));
}

/** Keys under which what a device uses of this host would be claimed. */
function claimKeys({ uses }: PluggedDevice): string[] {
  return uses.flatMap((use) => {
    if (!use.startsWith('/')) return [`pci:${use}`];
    const identity = identityAt(use);
    if (identity === undefined) return [];
    return [identity.kind === 'block' ? blockKey(identity.device) : identity.key];
  });
}

function finding(
  sandbox: string,
  device: PluggedDevice,
  claim: Claim | undefined,
  sharer: string | undefined,
): Finding {
  const name = device.id === '' ? `a ${device.model} without an id` : `${device.id} (${device.model})`;
  const where = device.bus === undefined ? '' : ` on ${device.bus}`;
  const using = device.uses.length === 0 ? '' : `, using ${device.uses.join(', ')}`;
  const about = {
    problem: 'foreign-device',
    sandbox,
    ...(device.id === '' ? {} : { device: device.id }),
    truths: { recorded: 'nothing', vmm: 'has it' },
    repaired: false,
  } as const;
  const what = `${name}${where}${using} was plugged by somebody else`;
  if (claim === undefined && sharer === undefined) {
    return {
      ...about,
      what,
      remedy: 'nothing is to be done: it is not ours, and is not touched',
      isNote: true,
    };
  }
  const clash =
    claim === undefined
      ? `it sits at the place that was given to ${sharer}`
      : `it uses what is claimed for ${claim.device} of ${claim.sandbox}`;
  return {
    ...about,
    what: `${what}, and ${clash}`,
    why: 'whoever plugged it did not ask, and it is not ours to take out',
    remedy: 'it is not touched: take it out where it was put in',
    plan: [
      person(
        `take ${device.id === '' ? 'it' : device.id} out of the VM by what put it in, for example device_del over QMP`,
      ),
    ],
  };
}
