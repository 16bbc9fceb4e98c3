import { VmplugError } from '../../api/errors.ts';
import { mostCounted } from '../../devices/managed/attach-count.ts';

export function notFoundError(id: string, action: string): VmplugError {
  return new VmplugError('device-not-found', {
    action,
    subject: id,
    reason: 'this sandbox has no device of that id',
    hint: 'getAllDevices() has those that there are',
  });
}

export function attachedError(id: string): VmplugError {
  return new VmplugError('remove-attached-device', {
    action: 'remove the device',
    subject: id,
    reason: 'it is attached, and this is its last reference',
    hint: 'detach it first; the reference was kept',
  });
}

export function mostReferencesError(id: string): VmplugError {
  return new VmplugError('too-many-references', {
    action: 'add a reference to the device',
    subject: id,
    reason: `it has ${mostCounted} references, the most that can be counted`,
    hint: 'remove it as often as it was made; nothing was changed',
  });
}

export function fullError(path: string, most: number): VmplugError {
  return new VmplugError('too-many-devices', {
    action: 'make a device of',
    subject: path,
    reason: `this sandbox has ${most} devices, the most that it may have`,
    hint: 'remove a device that is no longer needed',
    facts: { most },
  });
}

export function idExhaustedError(tries: number): VmplugError {
  return new VmplugError('id-exhausted', {
    action: 'choose an id for',
    subject: 'a new device',
    reason: `${tries} random ids in a row were taken`,
    hint: "look at the source of random ids: this doesn't happen by chance",
  });
}

export function loadBusyError(id: string): VmplugError {
  return new VmplugError('operation-in-progress', {
    action: 'load the saved device',
    subject: id,
    reason: 'an attach, detach or removal of the device of that id is under way',
    hint: 'wait until that has ended; nothing was loaded',
  });
}
