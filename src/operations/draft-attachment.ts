import type { AttachmentRecord } from '../api/attachment.ts';
import { serialOf } from '../api/names.ts';
import type { PlanRequest } from '../devices/device-kind.ts';
import { deviceGuestAddress, planDevice } from '../devices/kinds.ts';

/**
 * An attachment as it will be: its places, its names in the VM, its steps. Pure but for the time.
 * @throws VmplugError as `planDevice`
 */
export function draftAttachment(sandbox: string, request: Omit<PlanRequest, 'serial'>): AttachmentRecord {
  const { id, generation, host, driver, options, places } = request;
  const planned = { ...request, serial: serialOf(id) };
  return {
    id,
    sandbox,
    source: host.source,
    kind: host.kind,
    driver,
    state: 'attaching',
    host,
    options,
    place: places[0],
    generation,
    plan: planDevice(planned),
    serial: planned.serial,
    guest: deviceGuestAddress(planned),
    timeline: {},
    createdAt: Date.now(),
  };
}
