import type { Outer } from './outer.ts';

/** The driver of a function in the outer guest, `none` without one; `gone` when there is no such function. */
export async function driverOf(outer: Outer, address: string): Promise<string> {
  const device = `/sys/bus/pci/devices/${address}`;
  return await outer.sh(`[ -d ${device} ] || { echo gone; exit; }
driver=$(readlink ${device}/driver) || { echo none; exit; }
echo \${driver##*/}`);
}

/** What `driver_override` of a function says; `(null)` for nothing. */
export async function overrideOf(outer: Outer, address: string): Promise<string> {
  return await outer.sh(`cat /sys/bus/pci/devices/${address}/driver_override`);
}

/** The number of a function's IOMMU group. */
export async function groupOf(outer: Outer, address: string): Promise<string> {
  return await outer.sh(`group=$(readlink /sys/bus/pci/devices/${address}/iommu_group); echo \${group##*/}`);
}

/** Gives functions to a driver by hand, as an administrator would. */
export async function bindByHand(outer: Outer, driver: string, addresses: readonly string[]): Promise<void> {
  const lines = addresses.map((address) => {
    const device = `/sys/bus/pci/devices/${address}`;
    return `echo ${driver} >${device}/driver_override
[ ! -e ${device}/driver ] || echo ${address} >${device}/driver/unbind
echo ${address} >/sys/bus/pci/drivers_probe`;
  });
  await outer.sh(`set -e\n${lines.join('\n')}`);
}

/**
 * A script that waits until the disk of an NVMe function is there and puts its node into `$disk`. With several ways to
 * a disk, which every one of QEMU could have, the function has `nvme0c0n1`, and the node is `nvme0n1`.
 */
export function findDisk(address: string): string {
  return `disk=
until [ -b "$disk" ]; do
  set -- /sys/bus/pci/devices/${address}/nvme/nvme*/nvme*n1
  name=\${1##*/}
  case "$name" in nvme*c*n1) disk=/dev/\${name%%c*}n1 ;; *) disk=/dev/$name ;; esac
  [ -b "$disk" ] || sleep 0.1
done
`;
}

/** Prints bytes of the disk that a function is. */
export function readScript(address: string, at: number, length: number): string {
  return `${findDisk(address)}dd if=$disk bs=4096 skip=${at / 4096} count=1 2>/dev/null | head -c ${length}`;
}

/** Writes text to a place of the disk that a function is, and waits until it has arrived. */
export function writeScript(address: string, at: number, text: string): string {
  return `${findDisk(address)}printf '${text}' | dd of=$disk bs=4096 seek=${at / 4096} conv=sync,fsync 2>/dev/null`;
}
