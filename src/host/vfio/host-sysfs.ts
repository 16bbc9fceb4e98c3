import { defaultHostHooks, type HostHooks } from '../../api/config.ts';
import { defaultHostPaths, type HostPaths } from '../host-paths.ts';
import { loadModule } from './load-module.ts';
import { sysfsIo, type SysfsIo } from './sysfs-io.ts';

/** What is needed to change the drivers of PCI functions, and to see who uses them. */
export interface HostSysfs {
  readonly io: SysfsIo;
  readonly hooks: HostHooks;
  readonly paths: HostPaths;
  /** Loads a module of the kernel. Throws what `modprobe` says. */
  loadModule(name: string): Promise<void>;
}

/** This host's own. */
export const hostSysfs: HostSysfs = {
  io: sysfsIo(),
  hooks: defaultHostHooks,
  paths: defaultHostPaths,
  loadModule,
};
