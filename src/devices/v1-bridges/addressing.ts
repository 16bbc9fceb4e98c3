import { hasCode, VmplugError } from '../../api/errors.ts';
import { slotText } from '../../api/place.ts';
import type { Bridge } from './bridge.ts';

/** Where a device went: the bridge, and the slot as QEMU is told it, `1f` or `00ab`. */
export interface BridgeAddress {
  readonly bridge: Bridge;
  readonly address: string;
}

/**
 * v1's `addDeviceToBridge`: puts a device on the first bridge of a type that has room.
 * @throws VmplugError `bus-not-hotpluggable` when the VM has no bridges; `no-free-place`
 */
export function addDeviceToBridge(bridges: readonly Bridge[], device: string, type: string): BridgeAddress {
  if (bridges.length === 0) {
    throw new VmplugError('bus-not-hotpluggable', {
      action: 'find a bridge for',
      subject: device,
      reason: 'the VM has no bridges',
      hint: 'start it with at least one (default_bridges)',
    });
  }
  const bridge = bridges.find((each) => each.type === type && each.devices.size < each.capacity);
  if (bridge === undefined) {
    const tried = bridges.map(({ id, devices, capacity }) => `${id}: ${devices.size} of ${capacity} taken`);
    throw new VmplugError('no-free-place', {
      action: 'find a bridge for',
      subject: device,
      reason: `no bridge of type ${type} has room (${tried.join('; ')})`,
      hint: 'detach something, or start the VM with more bridges',
    });
  }
  const slot = bridge.addDevice(device);
  return { bridge, address: type === 'ccw' ? slot.toString(16).padStart(4, '0') : slotText(slot) };
}

/**
 * v1's `removeDeviceFromBridge`: takes a device off the bridge that has it. To do before the VMM
 * has confirmed the removal would give its slot out twice (W43).
 * @throws VmplugError `device-not-found` with what each bridge said, with no bridges too (W39)
 */
export function removeDeviceFromBridge(bridges: readonly Bridge[], device: string): void {
  const refusals: string[] = [];
  for (const bridge of bridges) {
    try {
      bridge.removeDevice(device);
      return;
    } catch (error) {
      if (!hasCode(error, 'device-not-found')) throw error;
      refusals.push(error.reason);
    }
  }
  throw new VmplugError('device-not-found', {
    action: 'remove from the bridges',
    subject: device,
    reason: refusals.length === 0 ? 'the VM has no bridges' : refusals.join('; '),
    facts: { bridges: bridges.length },
  });
}

/**
 * v1's `AddressFormatCCW`: what QEMU is given, `fe.0.0005` for device number `0005`.
 * @throws VmplugError `invalid-argument` for a bridge that is no channel subsystem
 */
export function ccwAddress(bridge: Bridge, devno: string): string {
  return `fe.${subsystem(bridge)}.${devno}`;
}

/**
 * v1's `AddressFormatCCWForVirtServer`: what the guest sees, `0.0.0005`.
 * @throws VmplugError `invalid-argument` for a bridge that is no channel subsystem
 */
export function ccwGuestAddress(bridge: Bridge, devno: string): string {
  return `0.${subsystem(bridge)}.${devno}`;
}

function subsystem({ type, id, addr }: Bridge): string {
  if (type === 'ccw') return addr.toString(16);
  throw new VmplugError('invalid-argument', {
    action: 'make a channel address on the bridge',
    subject: id,
    reason: `it is of type ${type}, and only one of type ccw has such addresses`,
  });
}
