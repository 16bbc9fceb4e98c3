import type { AttachmentRecord } from '../api/attachment.ts';
import type { Timeline } from '../api/operation.ts';

/** How a detach ended well. */
export interface Detached {
  readonly attachment: AttachmentRecord;
  /** `gone`: the VM itself has ended. */
  readonly state: 'released' | 'gone';
  readonly timeline: Timeline;
}
