import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { HostHooks } from '../../api/config.ts';
import { blockKey } from '../device-number.ts';
import { attribute } from '../disk/block-device.ts';
import { blockUses, exclusiveUse } from '../disk/block-in-use.ts';
import { heldExclusively } from '../disk/exclusive-probe.ts';
import type { HostUsage } from '../disk/host-usage.ts';
import { rootDevices } from '../disk/root-devices.ts';
import { disksOf, interfacesOf, type BlockBelow } from './classes-below.ts';
import { boundDriver } from './pci-driver.ts';

/** One thing that this host does with a PCI function. */
export interface FunctionUse {
  /** `its network interface eth0 is up`. */
  readonly what: string;
  /** How to end it. */
  readonly hint: string;
  /** The file system on `/` lies on it: the host would not survive its loss. */
  readonly isRoot: boolean;
}

/**
 * What this host uses a PCI function for: one of its disks (mounted, swap, held by device-mapper or
 * md, or so a partition of it), a network interface that is up, its virtual functions, the console, or a
 * program that drives it by itself.
 * @throws VmplugError `source-unsuitable` when the mounts cannot be known
 */
export function functionUses(
  address: string,
  { SysBusPciDevicesPath }: HostHooks,
  usage: HostUsage,
): FunctionUse[] {
  const directory = realpathSync.native(join(SysBusPciDevicesPath, address));
  return [
    ...disksOf(directory, usage.paths).flatMap((disk) => diskUses(disk, usage)),
    ...interfacesOf(directory, usage.paths).flatMap((name) => interfaceUses(name, usage)),
    ...ownUses(directory),
  ];
}

function diskUses(disk: BlockBelow, usage: HostUsage): FunctionUse[] {
  const uses = blockUses(disk, usage);
  if (uses.length === 0 && heldExclusively(`${usage.paths.dev}/${disk.name}`)) uses.push(exclusiveUse);
  const isRoot = rootDevices(usage).has(blockKey(disk));
  return uses.map(({ what }) => ({
    what: `its disk ${disk.name} ${what}`,
    hint: isRoot ? 'the file system on / lies on it: it cannot be taken' : 'release the disk first',
    isRoot,
  }));
}

/** IFF_UP (Linux, include/uapi/linux/if.h). */
const up = 0x1;

function interfaceUses(name: string, { paths }: HostUsage): FunctionUse[] {
  const flags = Number(attribute(join(paths.sys, 'class/net', name, 'flags')) ?? '0');
  if ((flags & up) === 0) return [];
  return [
    {
      what: `its network interface ${name} is up`,
      hint: `take it down first: ip link set ${name} down`,
      isRoot: false,
    },
  ];
}

/** Drivers that give a function to a program of the host. */
const programDrivers = new Set(['uio_pci_generic', 'igb_uio']);

function ownUses(directory: string): FunctionUse[] {
  const uses: Omit<FunctionUse, 'isRoot'>[] = [];
  const virtualFunctions = Number(attribute(join(directory, 'sriov_numvfs')) ?? '0');
  if (virtualFunctions > 0) {
    uses.push({
      what: `it has ${virtualFunctions} virtual functions, which go when its driver does`,
      hint: 'plug one of those, or write 0 to its sriov_numvfs first',
    });
  }
  if (attribute(join(directory, 'boot_vga')) === '1') {
    uses.push({ what: 'it is the display of this host', hint: 'plug another graphics card' });
  }
  const driver = boundDriver(directory);
  if (driver !== null && programDrivers.has(driver)) {
    uses.push({
      what: `it has ${driver}, for a program of this host`,
      hint: 'stop the program that uses it',
    });
  }
  return uses.map((use) => ({ ...use, isRoot: false }));
}
