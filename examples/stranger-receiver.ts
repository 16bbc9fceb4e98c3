import type {
  Device,
  DevicePayload,
  DeviceReceiver,
  DeviceType,
  HypervisorType,
  SettlingReceiver,
} from 'vmplug/api';
import { VmplugError } from 'vmplug/api';

/** A VM that is nothing but a list of what is plugged into it. */
export class ToyVm {
  /** What is in each slot, by the name that the VM gives it. */
  readonly slots = new Map<string, string>();
  running = false;
}

/** How many disks the toy VM takes. */
const mostDisks = 8;

/**
 * A receiver for the toy VM, written against `vmplug/api` and nothing else. A device comes to it
 * with a payload that says what to plug; it answers with an error, or not.
 */
export class ToyReceiver implements DeviceReceiver, SettlingReceiver {
  readonly vm: ToyVm;
  readonly #indexes = new Set<number>();

  constructor(vm: ToyVm) {
    this.vm = vm;
  }

  /** Into the running VM, all of it or nothing: every slot is looked at before the first is filled. */
  async hotplugAddDevice(device: Device, _type: DeviceType): Promise<void> {
    if (!this.vm.running) throw refused(device, 'the VM is not running', 'start it, or ask for a cold plug');
    this.#plug(device);
    return Promise.resolve();
  }

  /** Resolves when the VM has let it go, and not before: the host's side is released then. */
  async hotplugRemoveDevice(device: Device, _type: DeviceType): Promise<void> {
    for (const [name] of slotsOf(device.getDeviceInfo())) this.vm.slots.delete(name);
    return Promise.resolve();
  }

  /** Into the configuration that the VM is going to be started with. */
  async appendDevice(device: Device): Promise<void> {
    if (this.vm.running) throw refused(device, 'the VM is running', 'append it before the VM is started');
    this.#plug(device);
    return Promise.resolve();
  }

  async getAndSetSandboxBlockIndex(): Promise<number> {
    for (let index = 0; index < mostDisks; index += 1) {
      if (this.#indexes.has(index)) continue;
      this.#indexes.add(index);
      return Promise.resolve(index);
    }
    throw new VmplugError('too-many-devices', {
      action: 'take a block index in',
      subject: 'the toy VM',
      reason: `all ${mostDisks} are taken`,
      hint: 'detach a disk first',
    });
  }

  async unsetSandboxBlockIndex(index: number): Promise<void> {
    this.#indexes.delete(index);
    return Promise.resolve();
  }

  /** The toy boots from a disk of its own, `vda`, which has no index. */
  getSandboxBlockOffset(): number {
    return 1;
  }

  getHypervisorType(): HypervisorType {
    return 'mock';
  }

  /** For after a crash: whether the VM has the device now. */
  async hasDevice(device: Device): Promise<boolean> {
    const wanted = slotsOf(device.getDeviceInfo());
    return Promise.resolve(wanted.length > 0 && wanted.every(([name]) => this.vm.slots.has(name)));
  }

  #plug(device: Device): void {
    const wanted = slotsOf(device.getDeviceInfo());
    const taken = wanted.find(([name]) => this.vm.slots.has(name));
    if (taken !== undefined) throw refused(device, `slot ${taken[0]} is taken`, 'detach what is there');
    for (const [name, what] of wanted) this.vm.slots.set(name, what);
  }
}

/** What a device needs in the VM, told apart by the type of its payload: a name, and what goes there. */
function slotsOf(payload: DevicePayload): [name: string, what: string][] {
  switch (payload.type) {
    case 'generic':
      return [];
    case 'block':
      return payload.drive === null ? [] : [[payload.drive.ID, payload.drive.File]];
    case 'vfio':
      return payload.devices.map((member) => [member.ID, member.BDF]);
    case 'vhost-user-blk-pci':
    case 'vhost-user-scsi-pci':
    case 'virtio-net-pci':
    case 'vhost-user-fs-pci':
      return payload.attrs === null ? [] : [[payload.attrs.DevID, payload.attrs.SocketPath]];
  }
}

function refused(device: Device, reason: string, hint: string): VmplugError {
  return new VmplugError('vmm-refused', {
    action: 'plug the device',
    subject: device.deviceID(),
    reason,
    hint,
  });
}
