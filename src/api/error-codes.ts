/** What the exit codes of the command line mean. Scripts depend on them. */
export const exitCodes = {
  0: 'done',
  1: 'anything else',
  2: 'the command line is wrong',
  3: 'no such sandbox, device or host device',
  4: 'conflict: in use, held, already there, no free slot',
  5: 'the VMM refused',
  6: 'a deadline passed: the guest or the VMM did not answer (the operation stays recorded)',
  7: 'outcome unknown: vmplug doctor will settle it',
} as const;

export type ExitCode = keyof typeof exitCodes;

/**
 * Every error code, with the exit code of the command line that it maps to.
 * The codes are stable: scripts and callers depend on them.
 */
export const errorCodes = {
  'internal-error': { exitCode: 1, meaning: 'a fault in vmplug itself' },
  'source-unsuitable': {
    exitCode: 1,
    meaning: 'the host device cannot be plugged: wrong kind, empty, unreadable',
  },
  'state-unavailable': {
    exitCode: 1,
    meaning: 'the state directory cannot be used: read-only, full, not ours',
  },
  'state-damaged': {
    exitCode: 1,
    meaning: 'a file of the state is damaged; vmplug doctor --repair saves what can be read',
  },
  'state-too-new': { exitCode: 1, meaning: 'the state was written by a newer vmplug' },
  'invalid-state': { exitCode: 1, meaning: 'a saved state is not one that could have been written' },
  'not-qmp': { exitCode: 1, meaning: 'what answers on the socket does not speak QMP' },
  'protocol-error': { exitCode: 1, meaning: 'the VMM broke its own protocol' },
  'missing-package': { exitCode: 1, meaning: 'a program that is needed is not installed' },
  'start-failed': { exitCode: 1, meaning: 'the VMM did not start' },
  'guest-removed': {
    exitCode: 1,
    meaning: 'the guest let go of the device by itself while it was being attached',
  },
  'guest-address-unknown': {
    exitCode: 1,
    meaning: 'nobody has said where the guest finds the device',
  },
  'id-exhausted': { exitCode: 1, meaning: 'no unused id was found' },
  'too-many-attachments': { exitCode: 1, meaning: 'the attach count is at its limit' },
  'too-many-references': { exitCode: 1, meaning: 'the reference count is at its limit' },
  'state-kind-mismatch': {
    exitCode: 1,
    meaning: 'a saved device is of another kind than what is saved with it',
  },
  'pmem-size': { exitCode: 1, meaning: 'the size of a file is not one that an nvdimm can have' },
  'no-iommu': { exitCode: 1, meaning: 'this host has no IOMMU, or it is off' },
  aborted: { exitCode: 1, meaning: 'the caller gave up' },
  'invalid-argument': { exitCode: 2, meaning: 'an argument is not valid' },
  'invalid-device-number': { exitCode: 2, meaning: 'a major or minor number is none that a device can have' },
  'no-container-path': { exitCode: 2, meaning: 'a device without a path in the container' },
  'sandbox-not-found': { exitCode: 3, meaning: 'no such sandbox' },
  'device-not-found': { exitCode: 3, meaning: 'no such device' },
  'source-not-found': { exitCode: 3, meaning: 'no such host device' },
  'pci-device-not-found': { exitCode: 3, meaning: 'this host has no such PCI, mediated or AP device' },
  'socket-not-served': { exitCode: 3, meaning: 'no program serves the socket' },
  'vm-gone': { exitCode: 3, meaning: 'the VM has ended' },
  'source-in-use': {
    exitCode: 4,
    meaning: 'this host uses the device: mounted, swap, device-mapper, a network interface that is up, …',
  },
  'source-locked': { exitCode: 4, meaning: 'another process has the image locked' },
  'group-not-viable': {
    exitCode: 4,
    meaning: 'an IOMMU group with a function that is not given to vfio, or cannot be',
  },
  'group-held': { exitCode: 4, meaning: 'another process has the IOMMU group open' },
  'device-conflict': { exitCode: 4, meaning: 'the device is managed already, with other settings' },
  'too-many-devices': { exitCode: 4, meaning: 'every block index of the sandbox is taken' },
  'already-attached': { exitCode: 4, meaning: 'the device is attached to this sandbox already' },
  'tag-in-use': { exitCode: 4, meaning: 'another shared folder of the VM has the tag' },
  'mac-in-use': { exitCode: 4, meaning: 'another network card of the VM has the MAC address' },
  'claimed-elsewhere': { exitCode: 4, meaning: 'another sandbox has the device' },
  'no-free-place': { exitCode: 4, meaning: 'nowhere to plug it: every slot or index is taken' },
  'bus-not-hotpluggable': { exitCode: 4, meaning: 'the bus takes no devices while the VM runs' },
  'sandbox-exists': { exitCode: 4, meaning: 'there is a sandbox of that name' },
  'sandbox-in-use': { exitCode: 4, meaning: 'the sandbox still has devices' },
  'vm-replaced': { exitCode: 4, meaning: 'another VM answers on the socket of the sandbox' },
  'vm-paused': { exitCode: 4, meaning: 'the VM is paused, so the guest cannot answer' },
  'operation-in-progress': { exitCode: 4, meaning: 'another operation on the device is running' },
  'device-not-attached': { exitCode: 4, meaning: 'the device has no attachment' },
  'remove-attached-device': { exitCode: 4, meaning: 'the last reference of an attached device was dropped' },
  'vmm-refused': { exitCode: 5, meaning: 'the VMM said no' },
  'not-vhost-user': { exitCode: 5, meaning: 'what answers on the socket does not speak vhost-user' },
  unsupported: { exitCode: 5, meaning: 'the VMM or the guest cannot do this' },
  'memlock-too-small': {
    exitCode: 5,
    meaning: 'the VMM may not lock as much memory as the guest has, which VFIO needs',
  },
  'no-interrupt-remapping': {
    exitCode: 5,
    meaning: 'the IOMMU does not remap interrupts, so the kernel refuses VFIO',
  },
  'unplug-refused': { exitCode: 5, meaning: 'the guest refused to let go' },
  'deadline-passed': { exitCode: 6, meaning: 'the guest or the VMM did not answer in time' },
  'backend-silent': {
    exitCode: 6,
    meaning: 'the program behind a vhost-user socket does not answer',
  },
  'monitor-busy': {
    exitCode: 6,
    meaning: 'the QMP socket did not greet in time: it serves one client at a time',
  },
  'outcome-unknown': { exitCode: 7, meaning: 'a command went out and nobody knows what became of it' },
} as const satisfies Record<string, { exitCode: Exclude<ExitCode, 0>; meaning: string }>;

export type ErrorCode = keyof typeof errorCodes;
