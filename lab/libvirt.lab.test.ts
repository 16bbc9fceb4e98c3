import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { guardedDirectory } from './guard/guard.ts';
import { ensureGuestImage, execInGuest, waitForGuest } from './guest/index.ts';
import { Lab } from './harness.ts';
import { startLibvirt } from './setup/libvirt.ts';

interface Device {
  readonly id: string;
  readonly serial: string;
  readonly evidence: string;
  readonly place: { readonly bus: string };
}

/** A domain of type `qemu` with spare root ports and a QMP socket beside libvirt's own. */
function domainXml(directory: string, image: { kernel: string; initrd: string }): string {
  return `<domain type="qemu" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>vm</name><memory unit="MiB">256</memory><vcpu>1</vcpu>
  <os><type arch="x86_64" machine="q35">hvm</type><kernel>${image.kernel}</kernel><initrd>${image.initrd}</initrd>
    <cmdline>console=ttyS0 panic=-1 quiet</cmdline></os>
  <features><acpi/></features><cpu mode="maximum"/>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type="pci" index="0" model="pcie-root"/>
    ${[1, 2, 3, 4, 5, 6].map((index) => `<controller type="pci" index="${index}" model="pcie-root-port"/>`).join('')}
    <controller type="usb" model="none"/>
    <serial type="null"><target port="0"/></serial>
    <serial type="unix"><source mode="bind" path="${directory}/exec"/><target port="1"/></serial>
    <memballoon model="none"/>
  </devices>
  <qemu:commandline>
    <qemu:arg value="-qmp"/><qemu:arg value="unix:${directory}/qmp,server=on,wait=off"/>
  </qemu:commandline>
</domain>`;
}

test('a domain of libvirt is adopted over a second QMP socket, beside what libvirt plugs itself', async () => {
  // Its sockets lie below this directory, and their paths may have 107 bytes.
  const directory = guardedDirectory('/tmp/vl-');
  await using lab = new Lab();
  try {
    const image = await ensureGuestImage();
    await using libvirt = await startLibvirt(join(directory, 'l'));
    mkdirSync(join(directory, 'd'));
    const [qmp, exec] = [join(directory, 'd/qmp'), join(directory, 'd/exec')];
    const xml = join(directory, 'vm.xml');
    writeFileSync(xml, domainXml(join(directory, 'd'), image));
    await libvirt.virsh('create', xml);
    await waitForGuest(exec, { timeoutMs: 60_000 });

    await lab.ok('sandbox', 'adopt', 'vm', '--qmp', qmp);
    const ours = await lab.ok<Device>('attach', 'vm', lab.image('ours.img'));
    expect(ours.evidence).toBe('live');
    await libvirt.virsh('attach-disk', 'vm', lab.image('theirs.img'), 'vdz', '--subdriver', 'raw');
    const second = await lab.ok<Device>('attach', 'vm', lab.image('second.img'));
    const disks = await execInGuest(exec, 'disks', { timeoutMs: 60_000 });
    const seen = JSON.parse(disks.stdout.toString()) as { serial: string }[];
    expect(seen).toHaveLength(3);
    expect(seen.map(({ serial }) => serial)).toEqual(expect.arrayContaining([ours.serial, second.serial]));

    await lab.ok('detach', 'vm', ours.id);
    await libvirt.virsh('detach-disk', 'vm', 'vdz');
    await lab.ok('detach', 'vm', second.id);
    expect(await libvirt.virsh('domblklist', 'vm')).not.toContain('theirs.img');
    expect((await lab.ok<{ ok: boolean }>('doctor')).ok).toBe(true);
    await libvirt.virsh('destroy', 'vm');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
