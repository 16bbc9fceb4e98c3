/** QEMU over QMP. */
export * from './qmp/index.ts';
export { bootArguments } from './boot-arguments.ts';
export { bootBuses } from './boot-layout.ts';
export { machineTypes, qemuArguments, type MachineType, type QemuMachine } from './command-line.ts';
export { QemuHypervisor } from './qemu-hypervisor.ts';
export { hasQuirk, quirks, type Quirk } from './quirks.ts';
