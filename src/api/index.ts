/**
 * The contract of vmplug: types, interfaces, errors and the logger. No I/O.
 * Names are those of Kata Containers 1.x where it had one.
 */
export * from './attachment.ts';
export * from './config.ts';
export * from './device-host.ts';
export * from './device-info.ts';
export * from './device-manager.ts';
export * from './device-receiver.ts';
export * from './device-state.ts';
export * from './device-type.ts';
export * from './device.ts';
export * from './error-codes.ts';
export * from './errors.ts';
export * from './evidence.ts';
export * from './guest-address.ts';
export * from './host-device.ts';
export * from './hypervisor.ts';
export * from './json.ts';
export * from './lease.ts';
export * from './logger.ts';
export * from './managed-device.ts';
export * from './mock-device-receiver.ts';
export * from './names.ts';
export * from './operation.ts';
export * from './pci-path.ts';
export * from './place.ts';
export * from './plan.ts';
export * from './sandbox.ts';
