import {
  type BlockDrive,
  type DeviceInfo,
  type DevicePayload,
  type VhostUserDeviceAttrs,
  emptyDeviceInfo,
} from '../api/device-info.ts';
import type { DeviceManager } from '../api/device-manager.ts';
import type { DeviceReceiver } from '../api/device-receiver.ts';
import type { DeviceType } from '../api/device-type.ts';
import type { Device } from '../api/device.ts';
import { VmplugError } from '../api/errors.ts';
import type { ErrorCode } from '../api/error-codes.ts';
import { MockDeviceReceiver } from '../api/mock-device-receiver.ts';
import { PciPath } from '../api/pci-path.ts';

/** A request for a device, a disk unless it is said otherwise. */
export function request(parts: Partial<DeviceInfo> = {}): DeviceInfo {
  return { ...emptyDeviceInfo, ContainerPath: '/dev/xvda', DevType: 'b', Major: 8, ...parts };
}

/** The payload of a disk on virtio-blk whose address came from the VMM. */
export function drive(parts: Partial<BlockDrive> = {}): BlockDrive {
  return {
    File: '/dev/sda',
    Format: 'raw',
    ID: 'drive-5f0c6a1be8d2470e',
    Index: 0,
    MmioAddr: '',
    PCIPath: PciPath.parse('02/01'),
    SCSIAddr: '',
    NvdimmID: '',
    VirtPath: '/dev/vda',
    DevNo: '',
    ShareRW: false,
    ReadOnly: false,
    Pmem: false,
    ...parts,
  };
}

/** The payload of a vhost-user disk. */
export function vhostUserAttrs(pciPath: string): VhostUserDeviceAttrs {
  return {
    DevID: 'blk-5f0c6a1be8d2470e',
    SocketPath: '/run/x.sock',
    Type: 'vhost-user-blk-pci',
    MacAddress: '',
    Tag: '',
    CacheSize: 0,
    Cache: '',
    PCIPath: PciPath.parse(pciPath),
    Index: 0,
  };
}

export function failure(code: ErrorCode, subject: string): VmplugError {
  return new VmplugError(code, { action: 'try', subject, reason: 'the test says so' });
}

/** A device that counts, and asks the receiver on the steps from and to 0. */
export class FakeDevice implements Device {
  readonly info: DeviceInfo;
  readonly type: DeviceType;
  payload: DevicePayload;
  references = 0n;
  attachments = 0n;

  constructor(info: DeviceInfo, payload: DevicePayload) {
    this.info = info;
    this.type = payload.type;
    this.payload = payload;
  }

  async attach(receiver: DeviceReceiver): Promise<void> {
    if (this.attachments === 0n) await receiver.hotplugAddDevice(this, this.type);
    this.attachments += 1n;
  }

  async detach(receiver: DeviceReceiver): Promise<void> {
    if (this.attachments === 1n) await receiver.hotplugRemoveDevice(this, this.type);
    this.attachments -= 1n;
  }

  deviceID = (): string => this.info.ID;
  deviceType = (): DeviceType => this.type;
  getMajorMinor = (): [number, number] => [this.info.Major, this.info.Minor];
  getHostPath = (): string => this.info.HostPath;
  getDeviceInfo = (): DevicePayload => this.payload;
  getAttachCount = (): bigint => this.attachments;
  reference = (): bigint => (this.references += 1n);
  dereference = (): bigint => (this.references -= 1n);
  save(): never {
    throw new Error('not saved in these tests');
  }
  load(): never {
    throw new Error('not loaded in these tests');
  }
}

/** The rules of the contract's 4.5, and nothing of the host. Ids are `d1`, `d2`, … */
export class FakeDeviceManager implements DeviceManager {
  readonly devices = new Map<string, FakeDevice>();
  /** Errors of `newDevice` by container path. */
  readonly refused = new Map<string, Error>();
  #made = 0;

  async newDevice(info: DeviceInfo): Promise<Device> {
    await Promise.resolve();
    const refusal = this.refused.get(info.ContainerPath);
    if (refusal !== undefined) throw refusal;
    const known = [...this.devices.values()].find(
      (device) =>
        device.info.DevType === info.DevType &&
        device.info.Major === info.Major &&
        device.info.Minor === info.Minor,
    );
    const device = known ?? this.#make(info);
    device.reference();
    return device;
  }

  async removeDevice(id: string): Promise<void> {
    const device = await this.#known(id);
    if (device.references === 1n && device.attachments > 0n) throw failure('remove-attached-device', id);
    if (device.dereference() === 0n) this.devices.delete(id);
  }

  async attachDevice(id: string, receiver: DeviceReceiver): Promise<void> {
    await (await this.#known(id)).attach(receiver);
  }

  async detachDevice(id: string, receiver: DeviceReceiver): Promise<void> {
    const device = await this.#known(id);
    if (device.attachments === 0n) throw failure('device-not-attached', id);
    await device.detach(receiver);
  }

  isDeviceAttached = (id: string): boolean => (this.devices.get(id)?.attachments ?? 0n) > 0n;
  getDeviceByID = (id: string): FakeDevice | undefined => this.devices.get(id);
  getAllDevices = (): FakeDevice[] => [...this.devices.values()];
  loadDevices(): never {
    throw new Error('not loaded in these tests');
  }

  /** `[references, attachments]` of each device that is known. */
  counts(): Record<string, [bigint, bigint]> {
    const all = this.getAllDevices();
    return Object.fromEntries(all.map((device) => [device.info.ID, [device.references, device.attachments]]));
  }

  async #known(id: string): Promise<FakeDevice> {
    await Promise.resolve();
    const device = this.devices.get(id);
    if (device === undefined) throw failure('device-not-found', id);
    return device;
  }

  #make(info: DeviceInfo): FakeDevice {
    this.#made += 1;
    const ID = `d${this.#made}`;
    const HostPath = info.HostPath === '' ? info.ContainerPath : info.HostPath;
    const device = new FakeDevice({ ...info, ID, HostPath }, payloadOf(info, HostPath));
    this.devices.set(ID, device);
    return device;
  }
}

function payloadOf(info: DeviceInfo, hostPath: string): DevicePayload {
  if (hostPath.startsWith('/dev/vfio/')) return { type: 'vfio', devices: [] };
  if (info.DevType !== 'b') return { type: 'generic', info };
  if (info.Major === 241) return { type: 'vhost-user-blk-pci', attrs: vhostUserAttrs('02/03') };
  return { type: 'block', drive: drive() };
}

/** A receiver that writes down what it is asked for, and refuses what a test says. */
export class FakeReceiver extends MockDeviceReceiver implements DeviceReceiver {
  readonly calls: string[] = [];
  /** Errors by call, such as `add d1`. */
  readonly refused = new Map<string, Error>();

  override async hotplugAddDevice(device?: Device): Promise<void> {
    await this.#call(`add ${device?.deviceID()}`);
  }

  override async hotplugRemoveDevice(device?: Device): Promise<void> {
    await this.#call(`remove ${device?.deviceID()}`);
  }

  async #call(call: string): Promise<void> {
    await Promise.resolve();
    this.calls.push(call);
    const refusal = this.refused.get(call);
    if (refusal !== undefined) throw refusal;
  }
}
