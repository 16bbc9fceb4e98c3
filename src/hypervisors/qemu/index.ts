/** QEMU over QMP. */
export * from './qmp/index.ts';
export { QemuHypervisor } from './qemu-hypervisor.ts';
export { hasQuirk, quirks, type Quirk } from './quirks.ts';
