/**
 * vmplug plugs host devices into VM sandboxes, proves that the guest has them, and never loses
 * track of one.
 *
 * Begin with {@link Vmplug}: `Vmplug.open()`, `adopt` or `run`, `attach`, `detach`.
 */
export * from './api/index.ts';
export type { Finding } from './manager/doctor.ts';
export {
  Vmplug,
  type AttachOptions,
  type CallOptions,
  type DeviceView,
  type SandboxView,
  type VmplugOptions,
} from './manager/vmplug.ts';
export type { Detached } from './operations/detach.ts';
export type { Life } from './sandbox/life.ts';
export type { RunRequest } from './sandbox/run.ts';
