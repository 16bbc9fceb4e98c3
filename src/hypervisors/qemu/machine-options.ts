import type { Plan } from '../../api/plan.ts';

/** What a VM of our own is started with. */
export interface QemuMachine {
  readonly name: string;
  readonly machine: 'q35' | 'pc' | 's390-ccw-virtio';
  /** Root ports that take hot-plug; q35 only. */
  readonly ports: number;
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
  /** The socket behind the guest's second serial port. */
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
