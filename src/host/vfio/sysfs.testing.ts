import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import type { HostHooks } from '../../api/config.ts';
import { VmplugError } from '../../api/errors.ts';
import { temporaryDirectory } from '../host.testing.ts';
import type { HostPaths } from '../host-paths.ts';
import type { HostSysfs } from './host-sysfs.ts';
import type { SysfsIo } from './sysfs-io.ts';

export interface FakeFunction {
  /** Undefined: in no IOMMU group. */
  group?: string | undefined;
  /** The driver that it has now. */
  driver?: string | null | undefined;
  /** The driver that takes it when nothing else is said: the present one. */
  native?: string | null | undefined;
  override?: string | null | undefined;
  vendor?: string;
  device?: string;
  class?: string;
  /** Bytes of its configuration space. */
  config?: number;
  /** Drivers that fail on it when they probe it. */
  refusedBy?: readonly string[];
  /** A virtual function whose physical one has `sriov_drivers_autoprobe` 0. */
  noAutoprobe?: boolean;
}

/** What happens to the n-th write, from 0. */
export type Fault = 'none' | 'fails' | 'works-but-fails' | 'never-ends';

export interface FakeSysfs extends HostSysfs, Disposable {
  readonly paths: HostPaths;
  readonly hooks: HostHooks;
  /** Behaves as the kernel does when a driver is bound and unbound. */
  readonly io: SysfsIo;
  /** `<what>=<text>` of each write: `0000:02:00.0/driver/unbind=0000:02:00.0`. */
  writes: string[];
  faults: Fault[];
  /** What {@link HostSysfs.loadModule} was asked for; it loads what is in `loadable`. */
  loaded: string[];
  loadable: string[];
  addFunction(address: string, parts?: FakeFunction): void;
  /** With `ap` it is one of the AP bus. */
  addMediated(uuid: string, parts: { group?: string; driver?: string; ap?: boolean }): void;
  addDriver(name: string): void;
  removeDriver(name: string): void;
  addGroupNode(group: string): void;
  /** Writes a file below the root: `proc/self/mountinfo`, `sys/…`. */
  write(path: string, text: string): void;
  /** An attribute of a function. */
  setAttribute(address: string, name: string, value: string): void;
  /** A disk of a function. */
  addDisk(address: string, name: string, number: string): void;
  /** A network interface of a function; `flags` as the kernel has them: `0x1003`. */
  addInterface(address: string, name: string, flags: string): void;
  /** `driver|override` of a function. */
  binding(address: string): string;
  remove(address: string): void;
}

/** A PCI bus in a sysfs of plain files, with vfio-pci loaded and no devices. */
export function fakeSysfs(): FakeSysfs {
  const temporary = temporaryDirectory();
  const sys = join(temporary.path, 'sys');
  const dev = join(temporary.path, 'dev');
  const bus = join(sys, 'bus/pci');
  const groups = join(sys, 'kernel/iommu_groups');
  const functions = new Map<string, FakeFunction>();
  const write = (path: string, text: string | Buffer): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const link = (from: string, to: string): void => {
    mkdirSync(dirname(from), { recursive: true });
    symlinkSync(relative(dirname(from), to), from);
  };
  const joinGroup = (home: string, group: string): void => {
    link(join(home, 'iommu_group'), join(groups, group));
    link(join(groups, group, 'devices', basename(home)), home);
  };
  const homeOf = (address: string): string => join(sys, 'devices/pci0000:00', address);
  const addDriver = (name: string): void => {
    mkdirSync(join(bus, 'drivers', name), { recursive: true });
  };
  const overrideOf = (address: string): string | null => {
    const text = readFileSync(join(homeOf(address), 'driver_override'), 'utf8').trim();
    return text === '(null)' ? null : text;
  };
  const driverLink = (address: string): string => join(homeOf(address), 'driver');
  const driverOf = (address: string): string | null =>
    existsSync(driverLink(address)) ? basename(readlinkSync(driverLink(address))) : null;

  const probe = (address: string): void => {
    const parts = functions.get(address);
    if (parts === undefined) throw systemError('EINVAL');
    const override = overrideOf(address);
    if (driverOf(address) !== null || (override === null && parts.noAutoprobe === true)) return;
    const driver = override ?? parts.native ?? null;
    // Neither a driver that is not there nor one that fails is reported.
    if (driver === null || !existsSync(join(bus, 'drivers', driver))) return;
    if (parts.refusedBy?.includes(driver) !== true) link(driverLink(address), join(bus, 'drivers', driver));
  };
  const kernelWrite = (path: string, text: string): void => {
    const place = relative(bus, path);
    const [, address = '', what] = /^devices\/([^/]+)\/(driver_override|driver\/unbind)$/.exec(place) ?? [];
    if (place === 'drivers_probe') {
      probe(text);
    } else if (what === 'driver_override') {
      writeFileSync(join(homeOf(address), what), text === '\n' ? '(null)\n' : `${text}\n`);
    } else if (what === 'driver/unbind') {
      if (driverOf(address) === null) throw systemError('ENOENT');
      if (text !== address) throw systemError('ENODEV');
      rmSync(driverLink(address));
    } else {
      throw systemError('EACCES');
    }
  };

  addDriver('vfio-pci');
  write(join(temporary.path, 'proc/self/mountinfo'), '');
  const fake: FakeSysfs = {
    paths: { sys, dev, proc: join(temporary.path, 'proc') },
    hooks: {
      SysDevPrefix: join(sys, 'dev'),
      SysIOMMUPath: groups,
      SysBusPciDevicesPath: join(bus, 'devices'),
    },
    writes: [],
    faults: [],
    loaded: [],
    loadable: [],
    async loadModule(name) {
      fake.loaded.push(name);
      if (!fake.loadable.includes(name)) throw new Error(`modprobe: FATAL: Module ${name} not found`);
      addDriver(name);
    },
    io: {
      read: async (path) => readFileSync(path, 'utf8'),
      write: async (path, text) => {
        const fault = fake.faults[fake.writes.length] ?? 'none';
        fake.writes.push(`${relative(bus, path).replace(/^devices\//, '')}=${text}`);
        if (fault === 'never-ends') throw deadlinePassed(path);
        if (fault !== 'fails') kernelWrite(path, text);
        if (fault !== 'none') throw systemError('EIO');
      },
    },
    addFunction(address, parts = {}) {
      const home = homeOf(address);
      const driver = parts.driver ?? null;
      functions.set(address, { ...parts, native: parts.native === undefined ? driver : parts.native });
      write(join(home, 'vendor'), `${parts.vendor ?? '0x8086'}\n`);
      write(join(home, 'device'), `${parts.device ?? '0x10d3'}\n`);
      write(join(home, 'class'), `${parts.class ?? '0x020000'}\n`);
      write(join(home, 'config'), Buffer.alloc(parts.config ?? 4096));
      write(join(home, 'driver_override'), `${parts.override ?? '(null)'}\n`);
      link(join(bus, 'devices', address), home);
      if (parts.group !== undefined) joinGroup(home, parts.group);
      if (driver !== null) {
        addDriver(driver);
        link(driverLink(address), join(bus, 'drivers', driver));
      }
    },
    addMediated(uuid, { group, driver, ap = false }) {
      const parent = ap ? 'vfio_ap/matrix' : 'pci0000:00/0000:00:02.0';
      const home = join(sys, 'devices', parent, uuid);
      mkdirSync(home, { recursive: true });
      link(join(sys, 'bus/mdev/devices', uuid), home);
      if (group !== undefined) joinGroup(home, group);
      if (driver === undefined) return;
      mkdirSync(join(sys, 'bus/mdev/drivers', driver), { recursive: true });
      link(join(home, 'driver'), join(sys, 'bus/mdev/drivers', driver));
    },
    addDriver,
    removeDriver: (name) => rmSync(join(bus, 'drivers', name), { recursive: true }),
    write: (path, text) => write(join(temporary.path, path), text),
    setAttribute: (address, name, value) => write(join(homeOf(address), name), `${value}\n`),
    addDisk(address, name, number) {
      const home = join(homeOf(address), 'block', name);
      for (const [key, value] of Object.entries({ dev: number, size: '2048', ro: '0' }))
        write(join(home, key), `${value}\n`);
      link(join(sys, 'block', name), home);
      link(join(sys, 'dev/block', number), home);
    },
    addInterface(address, name, flags) {
      const home = join(homeOf(address), 'net', name);
      write(join(home, 'flags'), `${flags}\n`);
      link(join(sys, 'class/net', name), home);
    },
    addGroupNode: (group) => write(join(dev, 'vfio', group), ''),
    binding: (address) => `${driverOf(address) ?? 'none'}|${overrideOf(address) ?? 'none'}`,
    remove(address) {
      rmSync(join(bus, 'devices', address));
      rmSync(homeOf(address), { recursive: true });
    },
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
  return fake;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: the kernel refuses`), { code });
}

function deadlinePassed(subject: string): VmplugError {
  return new VmplugError('deadline-passed', { action: 'write to', subject, reason: 'no answer' });
}
