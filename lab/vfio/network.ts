import type { Outer } from './outer.ts';

/** Who answers in QEMU's user network: `10.0.2.2`. */
const gateway = '10.0.2.2';

/**
 * A script for either guest: waits for the network interface with a MAC address, sends echo requests to QEMU's user
 * network until one is answered, and leaves the interface down. The interface comes later than its driver.
 */
export function pingScript(mac: string): string {
  return `interface=
until [ -n "$interface" ]; do
  for file in /sys/class/net/*/address; do
    read -r address 2>/dev/null <$file && [ "$address" = ${mac} ] || continue
    interface=\${file%/address}
    interface=\${interface##*/}
  done
  [ -n "$interface" ] || sleep 0.2
done
ip link set $interface up
ip addr add 10.0.2.15/24 dev $interface
until ping -I $interface -c 1 -W 2 ${gateway}; do :; done
ip addr flush dev $interface
ip link set $interface down`;
}

/** What a ping prints of an answer. */
export const answered = /1 packets received/;

/** Makes virtual functions of an SR-IOV card, whose interface has to be up for them to work, and names them. */
export async function makeVirtualFunctions(
  outer: Outer,
  address: string,
  macs: readonly string[],
  autoprobe: 0 | 1 = 1,
): Promise<string[]> {
  const device = `/sys/bus/pci/devices/${address}`;
  const setMac = macs.map((mac, index) => `/usr/sbin/ip link set $interface vf ${index} mac ${mac}`);
  const addresses = await outer.sh(`set -e
interface=$(ls ${device}/net)
/usr/sbin/ip link set $interface up
echo ${autoprobe} >${device}/sriov_drivers_autoprobe
echo ${macs.length} >${device}/sriov_numvfs
${setMac.join('\n')}
for link in ${device}/virtfn*; do target=$(readlink $link); echo \${target##*/}; done`);
  return addresses.split('\n');
}
