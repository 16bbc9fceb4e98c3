import { VmplugError } from '../api/errors.ts';
import type { HostFunction, HostVfioGroup } from '../api/host-device.ts';
import { vmmDeviceId } from '../api/names.ts';
import type { PlannedUnit } from '../api/plan.ts';
import type { PlanRequest } from './device-kind.ts';

/** One function of a group, with its name in the VMM and its place. */
export interface GroupUnit extends PlannedUnit {
  readonly function: HostFunction;
  readonly summary: string;
}

/**
 * The functions of a group in their order. The first has the device's own name in the VMM, the
 * others a number behind it: `vmplug-<id>-1.2`.
 * @throws VmplugError `internal-error` when there are not as many places as functions
 */
export function groupUnits(request: PlanRequest<HostVfioGroup>): [GroupUnit, ...GroupUnit[]] {
  const { host, places } = request;
  const vmmId = vmmDeviceId(request.id, request.generation);
  const [first, ...others] = host.functions;
  const unit = (function_: HostFunction, id: string, place = places[0]): GroupUnit => ({
    vmmId: id,
    place,
    function: function_,
    summary: `plug ${function_.address}`,
  });
  if (places.length !== host.functions.length) {
    throw new VmplugError('internal-error', {
      action: 'plan the whole group',
      subject: host.source,
      reason: `${host.functions.length} functions, but ${places.length} places`,
    });
  }
  return [
    unit(first, vmmId),
    ...others.map((each, index) => unit(each, `${vmmId}.${index + 1}`, places[index + 1])),
  ];
}

/** The other units of a plan, where there are any. */
export function furtherUnits([, ...others]: readonly GroupUnit[]): { further?: PlannedUnit[] } {
  return others.length === 0 ? {} : { further: others.map(({ vmmId, place }) => ({ vmmId, place })) };
}
