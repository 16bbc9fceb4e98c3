import type { Plan } from '../../api/plan.ts';

/** The machine types that a VM of our own can have; `virt` is that of arm64. */
export const machineTypes = ['q35', 'pc', 'virt', 's390-ccw-virtio'] as const;
export type MachineType = (typeof machineTypes)[number];

/** What a VM of our own is started with. */
export interface QemuMachine {
  readonly name: string;
  readonly machine: MachineType;
  /** Root ports that take hot-plug; q35 and virt only. */
  readonly ports: number;
  /** The ports take hot-plug by PCIe's own means instead of ACPI's; q35 only, virt has nothing else. */
  readonly nativeHotplug?: boolean;
  /** PCI-PCI bridges, 0 to 5; q35 and pc only. */
  readonly bridges?: number;
  /** `256M`, `2G` */
  readonly memory: string;
  /** The guest's memory can be handed to other processes, which vhost-user needs. */
  readonly sharedMemory?: boolean;
  /** Room for nvdimms; q35 and pc only. */
  readonly memorySlots?: MemorySlotOptions;
  /** The SCSI controller has a thread of its own. */
  readonly scsiIothread?: boolean;
  readonly kernel: string;
  readonly initrd?: string;
  /** Added to the kernel's command line. */
  readonly append?: string;
  readonly accel: 'tcg' | 'kvm';
  readonly qmpSocket: string;
  readonly consoleLog: string;
  /** The socket behind the port over which the guest takes commands, as the lab guest does. */
  readonly execSocket: string;
  /** Devices that it has from the start. */
  readonly coldPlug?: readonly Plan[];
}

export interface MemorySlotOptions {
  /** 1 to 256. */
  readonly count: number;
  /** What `memory` and all that is in the slots come to at most: `4G`. */
  readonly maxMemory: string;
}
