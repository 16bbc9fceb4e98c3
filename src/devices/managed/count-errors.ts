import { VmplugError } from '../../api/errors.ts';
import { mostCounted } from './attach-count.ts';

export function notAttachedError(id: string): VmplugError {
  return new VmplugError('device-not-attached', {
    action: 'detach the device',
    subject: id,
    reason: 'it is not attached',
    hint: 'attach it first; nothing was changed',
  });
}

export function mostAttachmentsError(id: string): VmplugError {
  return new VmplugError('too-many-attachments', {
    action: 'attach the device',
    subject: id,
    reason: `it has ${mostCounted} attachments, the most that can be counted`,
    hint: 'detach it first; nothing was changed',
  });
}
