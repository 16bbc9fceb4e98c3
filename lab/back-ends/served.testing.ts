import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Evidence } from '../../src/api/evidence.ts';
import { writeAt0 } from '../devices-disks.testing.ts';
import type { Lab } from '../harness.ts';
import type { BackEnd } from './back-end.ts';
import { startIscsiTarget } from './iscsi-target.ts';
import { startStorageDaemon } from './storage-daemon.ts';
import { startTestpmd } from './testpmd.ts';
import { startVhostUserScsi } from './vhost-user-scsi.ts';
import { startVirtiofsd } from './virtiofsd.ts';

/** A device as vmplug's documents have it, as far as the tests of vhost-user look. */
export interface Device {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly evidence: Evidence;
  readonly vmmId: string;
  readonly guest: {
    readonly pci?: string;
    readonly pciPath?: string;
    readonly tag?: string;
    readonly mac?: string;
  };
}

/** A real back end, what to attach, and how to see that the guest and this host have the same thing. */
export interface Served extends AsyncDisposable {
  readonly backEnd: BackEnd;
  /** The source, and the flags that go with it. */
  readonly attach: readonly [source: string, ...flags: string[]];
  /** Uses it in the guest, both ways, and leaves it unused again. */
  use(vm: string, device: Device): Promise<void>;
}

/** The version that a sandbox's QEMU says, `7.2.22`. */
export async function qemuVersion(lab: Lab, vm: string): Promise<string> {
  return (await lab.ok<{ version: string }>('sandbox', 'inspect', vm)).version;
}

/** Runs a script in the guest, which has to succeed. */
export async function inGuest(lab: Lab, vm: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await lab.guest(vm, script);
  expect(exitCode, `${script}: ${stderr.toString()}`).toBe(0);
  return stdout.toString('utf8');
}

const sector = 512;
const far = 1024 * 1024;

/** Bytes of the host are read in the guest, and the guest's are then in the image. */
async function useDisk(lab: Lab, vm: string, image: string, node: string): Promise<void> {
  const [put, written] = [`put in on the host for ${vm}`, `written in ${vm}`];
  writeAt0(image, put);
  // sysfs has a disk a moment before /dev does; until then dd would make a file of that name.
  const script = `
    set -e
    until set -- ${node} && [ -b "/dev/\${1##*/}" ]; do usleep 20000; done
    disk=/dev/\${1##*/}
    dd if=$disk of=/tmp/read bs=${sector} count=1 iflag=direct
    head -c ${put.length} /tmp/read
    printf '${written}' | dd of=$disk bs=${sector} seek=${far / sector} conv=sync
    sync`;
  expect(await inGuest(lab, vm, script)).toBe(put);
  expect(readFileSync(image).toString('utf8', far, far + written.length)).toBe(written);
}

/** A disk behind QEMU's storage daemon. */
export async function serveDisk(lab: Lab, name: string): Promise<Served> {
  const image = lab.image(`${name}.img`);
  const backEnd = await startStorageDaemon({ image, socket: lab.path(`${name}.sock`) });
  return {
    backEnd,
    attach: [`vhost-user-blk:${backEnd.socket}`],
    use: (vm, { guest }) => useDisk(lab, vm, image, `/sys/bus/pci/devices/${guest.pci}/virtio*/block/*`),
    [Symbol.asyncDispose]: () => backEnd[Symbol.asyncDispose](),
  };
}

/** A SCSI controller behind QEMU's sample program, with one disk of an iSCSI target. */
export async function serveController(lab: Lab, name: string): Promise<Served> {
  const image = lab.image(`${name}.img`);
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await startIscsiTarget({ image, directory: lab.directory }));
  const backEnd = stack.use(await startVhostUserScsi({ url, socket: lab.path(`${name}.sock`) }));
  const parts = stack.move();
  return {
    backEnd,
    attach: [`vhost-user-scsi:${backEnd.socket}`],
    use: (vm, { guest }) =>
      useDisk(lab, vm, image, `/sys/bus/pci/devices/${guest.pci}/virtio*/host*/target*/*/block/*`),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/**
 * The same, whose guest has nothing in a cache after it has used it: else the last command before it lets go is to
 * write the cache back, which a back end that has died does not answer.
 */
export function writtenThrough(lab: Lab, controller: Served): Served {
  return {
    ...controller,
    async use(vm, device) {
      await controller.use(vm, device);
      const types = `/sys/bus/pci/devices/${device.guest.pci}/virtio*/host*/target*/*/scsi_disk/*/cache_type`;
      await inGuest(lab, vm, `for type in ${types}; do echo 'temporary write through' > $type; done`);
    },
  };
}

/** A folder of this host behind virtiofsd. */
export async function serveFolder(lab: Lab, name: string): Promise<Served & { readonly folder: string }> {
  const folder = lab.path(name);
  mkdirSync(folder, { recursive: true });
  const backEnd = await startVirtiofsd({ folder, socket: lab.path(`${name}.sock`) });
  return {
    backEnd,
    folder,
    attach: [`vhost-user-fs:${backEnd.socket}`, '--tag', name],
    async use(vm, { guest }) {
      writeFileSync(join(folder, 'from-host'), `to ${vm}`);
      const mounted = `mkdir -p /mnt/${guest.tag} && mount -t virtiofs ${guest.tag} /mnt/${guest.tag}`;
      const read = await inGuest(lab, vm, `${mounted} && cat /mnt/${guest.tag}/from-host`);
      expect(read).toBe(`to ${vm}`);
      await inGuest(lab, vm, `printf 'from ${vm}' > /mnt/${guest.tag}/from-guest`);
      expect(readFileSync(join(folder, 'from-guest'), 'utf8')).toBe(`from ${vm}`);
      await inGuest(lab, vm, `umount /mnt/${guest.tag}`);
    },
    [Symbol.asyncDispose]: () => backEnd[Symbol.asyncDispose](),
  };
}

/** A network card whose other end is testpmd, which answers ping for every address. */
export async function serveCard(lab: Lab, name: string, mac: string): Promise<Served> {
  const backEnd = await startTestpmd({ directory: lab.directory, socket: lab.path(`${name}.sock`) });
  return {
    backEnd,
    attach: [`vhost-user-net:${backEnd.socket}`, '--mac', mac],
    async use(vm, { guest }) {
      // A ping that is answered is a frame that went out and one that came back.
      const said = await inGuest(
        lab,
        vm,
        `set -- /sys/bus/pci/devices/${guest.pci}/virtio*/net/*; card=\${1##*/}; cat $1/address
        ip addr add 10.9.0.2/24 dev $card && ip link set $card up
        until ping -c 1 -W 5 10.9.0.1; do :; done`,
      );
      expect(said).toMatch(new RegExp(`^${mac}\n`));
      expect(said).toMatch(/ 1 packets received/);
    },
    [Symbol.asyncDispose]: () => backEnd[Symbol.asyncDispose](),
  };
}

/** By what a guest finds a device of each kind. */
export const addressOf: Readonly<Record<string, string>> = {
  'vhost-user-blk': 'PCI path',
  'vhost-user-scsi': 'PCI path',
  'vhost-user-fs': 'tag',
  'vhost-user-net': 'MAC',
};

/** One of every kind, the card last: its back end takes a core from then on. */
export async function serveEveryKind(
  lab: Lab,
): Promise<AsyncDisposable & { readonly kinds: readonly Served[] }> {
  await using stack = new AsyncDisposableStack();
  const kinds = [
    stack.use(await serveDisk(lab, 'disk')),
    stack.use(await serveFolder(lab, 'folder')),
    stack.use(await serveController(lab, 'scsi')),
    stack.use(await serveCard(lab, 'card', '52:54:00:aa:00:01')),
  ];
  const parts = stack.move();
  return { kinds, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}
