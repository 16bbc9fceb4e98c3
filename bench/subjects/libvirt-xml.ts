export interface DomainRequest {
  readonly name: string;
  readonly ports: number;
  readonly kernel: string;
  readonly initrd: string;
  readonly directory: string;
  readonly execSocket: string;
}

/** A domain like the VM of `vmplug sandbox run`: the same machine, processor, memory, ports and guest. */
export function domainXml({ name, ports, kernel, initrd, directory, execSocket }: DomainRequest): string {
  const rootPorts = Array.from({ length: ports }, () => `<controller type="pci" model="pcie-root-port"/>`);
  return `<domain type="qemu">
  <name>${name}</name>
  <memory unit="MiB">256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <kernel>${escaped(kernel)}</kernel>
    <initrd>${escaped(initrd)}</initrd>
    <cmdline>console=ttyS0 panic=-1 quiet</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <cpu mode="maximum"/>
  <on_reboot>destroy</on_reboot>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type="usb" model="none"/>
    <controller type="pci" model="pcie-root"/>
    ${rootPorts.join('\n    ')}
    <controller type="scsi" model="virtio-scsi">
      <address type="pci" bus="0x00" slot="0x1e" function="0x0"/>
    </controller>
    <serial type="file"><source path="${escaped(directory)}/libvirt-console.log"/></serial>
    <serial type="unix"><source mode="bind" path="${escaped(execSocket)}"/></serial>
    <memballoon model="none"/>
  </devices>
</domain>
`;
}

/** A raw image as a virtio disk, with the defaults that vmplug has too. */
export function diskXml(image: string, serial: string): string {
  return `<disk type="file" device="disk">
  <driver name="qemu" type="raw"/>
  <source file="${escaped(image)}"/>
  <target dev="vda" bus="virtio"/>
  <serial>${serial}</serial>
</disk>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
