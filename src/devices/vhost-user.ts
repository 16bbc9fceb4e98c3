import { VhostUserFS, VhostUserNet } from '../api/device-type.ts';
import type { GuestAddress } from '../api/guest-address.ts';
import type { HostVhostUser } from '../api/host-device.ts';
import type { JsonObject } from '../api/json.ts';
import { vmmDeviceId } from '../api/names.ts';
import type { AttachStep, PeerCheck } from '../api/plan.ts';
import type { DeviceKind, KindRequest, PlanRequest } from './device-kind.ts';
import { placeArguments } from './place-arguments.ts';
import { plugStep } from './plug-step.ts';
import { refuseDiskOptions, requireFeatures, sharedMemory } from './requirements.ts';
import { checkVhostUser } from './vhost-user-check.ts';

/** QEMU 7.2 under TCG dies when the guest brings such a card up that has MSI-X. */
const netWithoutMsix = 'quirk:vhost-user-net-without-msix';

/** As virtiofsd's manual has it; QEMU's own default is an eighth of it. */
const sharedFolderQueue = 1024;

/**
 * A device that another program serves over a socket, in QEMU: the connection, for a network
 * card the network behind it, then the device (QMP `chardev-add`, `netdev_add`, `device_add`).
 * The drivers have the names of QEMU's models.
 */
export const vhostUser: DeviceKind<HostVhostUser> = {
  needs: (request) => ({ transport: 'pci', count: 1, features: featuresFor(request) }),

  check(request, facts) {
    refuseDiskOptions(request);
    checkVhostUser(request, facts);
    requireFeatures(request, facts, featuresFor(request));
  },

  plan(request) {
    const vmmId = vmmDeviceId(request.id, request.generation);
    return {
      vmmId,
      steps: [
        ...connectSteps(vmmId, request),
        ...(request.driver === VhostUserNet ? [netStep(vmmId)] : []),
        plugStep(vmmId, {
          ...placeArguments(request.driver, request.places[0]),
          id: vmmId,
          ...modelArguments(request, vmmId),
        }),
      ],
    };
  },

  guestAddress({ host, places: [place] }): GuestAddress {
    return {
      ...(place.transport === 'pci' ? { pciPath: place.path.join('/') } : {}),
      ...(host.tag === undefined ? {} : { tag: host.tag }),
      ...(host.mac === undefined ? {} : { mac: host.mac }),
    };
  },
};

function featuresFor({ driver, host }: KindRequest<HostVhostUser>): string[] {
  return [
    `device:${driver}`,
    ...(hasWindow(host) ? [`property:${driver}.cache-size`] : []),
    // Without it QEMU says yes and the guest's device stays dead.
    sharedMemory,
  ];
}

/**
 * The program is checked before QEMU, which waits for it with everything standing still, gets to it, and it
 * sees one client only: the connection that was checked is QEMU's. A network back end takes no connection that
 * was made elsewhere (`does not support FD passing`), so there the one that was checked is left.
 */
function connectSteps(
  vmmId: string,
  { driver, host, peerChecks = [] }: PlanRequest<HostVhostUser>,
): AttachStep[] {
  const peer = { connectTo: host.socket, protocol: 'vhost-user' } as const;
  const byPath = { type: 'unix', data: { path: host.socket } };
  if (driver === VhostUserNet) {
    if (!peerChecks.includes('leave')) return [chardevStep(vmmId, unchecked, byPath)];
    const summary = 'check the program behind the socket, then connect to it';
    return [chardevStep(vmmId, summary, byPath, { ...peer, afterwards: 'leave' })];
  }
  if (!peerChecks.includes('hand-over')) return [chardevStep(vmmId, unchecked, byPath)];
  return [
    {
      summary: 'check the program behind the socket and hand the connection over',
      run: {
        execute: 'getfd',
        arguments: { fdname: vmmId },
        peer: { ...peer, afterwards: 'hand-over' },
      },
      undo: { execute: 'closefd', arguments: { fdname: vmmId } },
    },
    chardevStep(vmmId, 'use the connection', { type: 'fd', data: { str: vmmId } }),
  ];
}

const unchecked = 'connect to the socket, without a check of the program behind it';

/** `reconnect` is left out: a back end that comes back has forgotten the guest's memory. */
function chardevStep(vmmId: string, summary: string, addr: JsonObject, peer?: PeerCheck): AttachStep {
  const backend = { type: 'socket', data: { addr, server: false } };
  return {
    summary,
    run: {
      execute: 'chardev-add',
      arguments: { id: vmmId, backend },
      ...(peer === undefined ? {} : { peer }),
    },
    undo: { execute: 'chardev-remove', arguments: { id: vmmId } },
  };
}

/** Taking it back removes the connection with it; what then is not found counts as released. */
function netStep(vmmId: string): AttachStep {
  const id = netId(vmmId);
  return {
    summary: 'make a network of it',
    run: { execute: 'netdev_add', arguments: { type: 'vhost-user', id, chardev: vmmId } },
    undo: { execute: 'netdev_del', arguments: { id } },
  };
}

/** Not the card's own name: QEMU looks both up in one list, and finds the wrong one. */
function netId(vmmId: string): string {
  return `${vmmId}-n`;
}

function modelArguments({ driver, host, facts }: PlanRequest<HostVhostUser>, vmmId: string): JsonObject {
  if (driver === VhostUserNet) {
    return {
      netdev: netId(vmmId),
      mac: host.mac,
      ...(facts.features.includes(netWithoutMsix) ? { vectors: 0 } : {}),
    };
  }
  if (driver !== VhostUserFS) return { chardev: vmmId };
  return {
    chardev: vmmId,
    tag: host.tag,
    'queue-size': sharedFolderQueue,
    ...(hasWindow(host) ? { 'cache-size': (host.cacheSize ?? 0) * 1024 * 1024 } : {}),
  };
}

function hasWindow(host: HostVhostUser): boolean {
  return host.cacheSize !== undefined && host.cacheSize > 0;
}
