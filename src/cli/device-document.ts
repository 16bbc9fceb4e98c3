import type { AttachmentRecord } from '../api/attachment.ts';
import { hostPathOf, hostSizeOf } from '../api/host-device.ts';
import { unitsOf } from '../api/plan.ts';

/** A device under `--json`. The fields are stable; scripts depend on them. */
export function deviceDocument(attachment: AttachmentRecord): Record<string, unknown> {
  const { host, place } = attachment;
  return {
    id: attachment.id,
    sandbox: attachment.sandbox,
    source: attachment.source,
    kind: attachment.kind,
    driver: attachment.driver,
    state: attachment.state,
    evidence: attachment.evidence ?? null,
    guest: attachment.guest,
    timeline: attachment.timeline,
    path: hostPathOf(host),
    format: host.kind === 'block' ? host.layers[0].format : null,
    size: hostSizeOf(host) ?? null,
    readOnly: host.readOnly,
    shareRw: host.shareRw,
    serial: attachment.serial,
    place,
    places: unitsOf(attachment).map((unit) => unit.place),
    vmmId: attachment.plan.vmmId,
    staysUntilVmEnds: attachment.plan.staysUntilVmEnds ?? null,
    createdAt: new Date(attachment.createdAt).toISOString(),
  };
}

/** `resolve 1.2 ms, plan 0.1 ms, …` */
export function timelineText(timeline: Readonly<Record<string, number>>): string {
  return Object.entries(timeline)
    .map(([stage, milliseconds]) => `${stage} ${milliseconds} ms`)
    .join(', ');
}
