import { VmplugError } from '../src/api/errors.ts';
import type { GuestImageOptions } from './guest/image.ts';

/** A machine that the lab can start, with what its guest is made of. */
export interface LabGuest {
  /** What it is, for a person. */
  readonly what: string;
  /** The system's QEMU (7.2 in bookworm), or the one from backports. */
  readonly qemu: 'system' | '10';
  readonly program: string;
  readonly image: Pick<GuestImageOptions, 'architecture' | 'flavour'>;
  /** `256M` */
  readonly memory: string;
  /** The machine and its buses, as arguments of QEMU. */
  readonly machine: readonly string[];
  /** Words of the kernel's command line. */
  readonly append: string;
  /** The controller of the virtio-serial port over which the guest takes commands; a PC has a second serial port. */
  readonly execController?: string;
  /** Devices can come and go while it runs. */
  readonly hotplug: boolean;
}

const pcie = (...names: readonly string[]): string[] =>
  names.flatMap((id, index) => ['-device', `pcie-root-port,id=${id},chassis=${index + 1},slot=${index + 1}`]);
const rootPorts = pcie('rp0', 'rp1', 'rp2', 'rp3');
const native = ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'];
const memorySlots = ['-m', 'slots=4,maxmem=4G'];
const bridge = ['-device', 'pci-bridge,id=br0,chassis_nr=1'];

const x86 = {
  program: 'qemu-system-x86_64',
  qemu: 'system',
  image: { architecture: 'amd64' },
  memory: '256M',
  append: 'console=ttyS0',
  hotplug: true,
} as const;

const machines = {
  q35: {
    ...x86,
    what: 'q35 with root ports rp0 to rp3, hot-plug by ACPI',
    machine: ['-machine', 'q35,nvdimm=on', ...memorySlots, '-cpu', 'max', ...rootPorts],
  },
  'q35-native': {
    ...x86,
    what: 'q35 with root ports rp0 to rp3, hot-plug by PCI Express itself',
    machine: ['-machine', 'q35,nvdimm=on', ...memorySlots, '-cpu', 'max', ...native, ...rootPorts],
  },
  pc: {
    ...x86,
    what: 'pc, hot-plug into its root bus',
    machine: ['-machine', 'pc,nvdimm=on', ...memorySlots, '-cpu', 'max'],
  },
  'pc-bridge': {
    ...x86,
    what: 'pc with a PCI bridge br0',
    machine: ['-machine', 'pc,nvdimm=on', ...memorySlots, '-cpu', 'max', ...bridge],
  },
  microvm: {
    ...x86,
    what: 'microvm: virtio-mmio, devices from the start only',
    machine: ['-machine', 'microvm', '-cpu', 'max'],
    // Without it every fourth start under TCG hangs where the kernel measures the clock.
    append: 'console=ttyS0 tsc_early_khz=2600000',
    execController: 'virtio-serial-device',
    hotplug: false,
  },
} as const satisfies Record<string, LabGuest>;

const others = {
  arm64: {
    what: 'arm64 virt with root ports rp0 to rp3, hot-plug by PCI Express itself',
    program: 'qemu-system-aarch64',
    qemu: 'system',
    image: { architecture: 'arm64' },
    memory: '512M',
    // cortex-a57 boots in a quarter of the time that max takes.
    machine: ['-machine', 'virt', '-cpu', 'cortex-a57', ...rootPorts],
    append: 'console=ttyAMA0',
    execController: 'virtio-serial-pci',
    hotplug: true,
  },
  s390x: {
    what: 's390x with channel devices',
    program: 'qemu-system-s390x',
    qemu: 'system',
    image: { architecture: 's390x' },
    memory: '256M',
    machine: ['-machine', 's390-ccw-virtio', '-cpu', 'max'],
    append: 'console=ttysclp0',
    execController: 'virtio-serial-ccw,devno=fe.1.0000',
    hotplug: true,
  },
} as const satisfies Record<string, LabGuest>;

type X86Name = keyof typeof machines;

/** The name of a machine in the lab: with `@10` on QEMU 10, else on the system's. */
export type GuestName = X86Name | `${X86Name}@10` | keyof typeof others;

/** Every machine that the lab can start. */
export const labGuests: ReadonlyMap<string, LabGuest> = new Map<string, LabGuest>([
  ...Object.entries(machines).flatMap(([name, guest]): [string, LabGuest][] => [
    [name, guest],
    [`${name}@10`, { ...guest, qemu: '10' }],
  ]),
  ...Object.entries(others),
]);

/**
 * Finds a machine by its name, as a person may have typed it.
 *
 * @throws VmplugError `invalid-argument`, with the names that there are.
 */
export function labGuest(name: string): LabGuest {
  const guest = labGuests.get(name);
  if (guest !== undefined) return guest;
  throw new VmplugError('invalid-argument', {
    action: 'find the lab guest',
    subject: name,
    reason: 'there is none of that name',
    hint: [...labGuests.keys()].join(', '),
  });
}
