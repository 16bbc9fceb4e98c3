import type { JsonObject } from '../api/json.ts';
import type { AttachStep } from '../api/plan.ts';

/** The step that plugs a device into QEMU; taking it back is only a request (QMP `device_add`, `device_del`). */
export function plugStep(vmmId: string, args: JsonObject, summary = 'plug the device'): AttachStep {
  return {
    summary,
    run: { execute: 'device_add', arguments: args },
    undo: { execute: 'device_del', arguments: { id: vmmId } },
    undoIsRequest: true,
  };
}
