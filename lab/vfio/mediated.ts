import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mttyModule } from '../setup/mtty-module.ts';
import type { Outer } from './outer.ts';

const devices = '/sys/bus/mdev/devices';

/**
 * Loads the kernel's sample of a driver with mediated devices, `mtty`, in the outer guest: each is a serial card of PCI
 * that gives back what is written to it.
 *
 * @throws VmplugError as {@link mttyModule}
 */
export async function loadMtty(outer: Outer): Promise<void> {
  const [release = '', build = ''] = (await outer.sh('uname -r; uname -v')).split('\n');
  const version = /Debian (\S+)/.exec(build)?.[1];
  if (version === undefined) throw new Error(`the outer guest's kernel is not Debian's: ${build}`);
  await copyFile(await mttyModule({ release, version }), join(outer.work, 'mtty.ko'));
  await outer.sh('insmod /given/mtty.ko');
}

/** Makes a mediated device with one serial port (Linux, Documentation/driver-api/vfio-mediated-device.rst). */
export async function makeMediated(outer: Outer, uuid: string): Promise<void> {
  await outer.sh(`echo ${uuid} >/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create`);
}

/** A script that removes a mediated device; it ends when nobody has the device open. */
export function removeScript(uuid: string): string {
  return `echo 1 >${devices}/${uuid}/remove`;
}

/** The driver of a mediated device in the outer guest, `none` without one; `gone` when there is no such device. */
export async function mediatedDriver(outer: Outer, uuid: string): Promise<string> {
  return await outer.sh(`[ -e ${devices}/${uuid} ] || { echo gone; exit; }
driver=$(readlink ${devices}/${uuid}/driver) || { echo none; exit; }
echo \${driver##*/}`);
}

/**
 * A script for the inner guest: waits for the serial port of the PCI function, writes to it and prints what comes back.
 */
export function loopBackScript(address: string, words: string): string {
  return `port=
until [ -c "$port" ]; do
  set -- /sys/bus/pci/devices/${address}/tty/ttyS*
  port=/dev/\${1##*/}
  [ -c "$port" ] || sleep 0.1
done
stty -F $port raw -echo
exec 3<>$port
printf '${words}' >&3
head -c ${words.length} <&3`;
}
