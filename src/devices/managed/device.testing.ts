import { expect } from 'vitest';
import type { DeviceHost, GroupMember } from '../../api/device-host.ts';
import {
  type DeviceInfo,
  type VFIODev,
  VFIODeviceNormalType,
  emptyDeviceInfo,
} from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import type { DeviceType, HypervisorType } from '../../api/device-type.ts';
import type { Device } from '../../api/device.ts';
import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError } from '../../api/errors.ts';

/** A request with nothing set but `given`. */
export function infoOf(given: Partial<DeviceInfo>): DeviceInfo {
  return { ...emptyDeviceInfo, ...given };
}

/** A function of a group as the host describes it. */
export function memberOf(BDF: string): GroupMember {
  return {
    IsPCIe: true,
    Type: VFIODeviceNormalType,
    BDF,
    SysfsDev: `/sys/bus/pci/devices/${BDF}`,
    VendorID: '0x8086',
    DeviceID: '0x1572',
    Class: '0x020000',
  };
}

/** A host without sysfs: a path in the container is the path on it. */
export class TestHost implements DeviceHost {
  /** By path of the group. */
  readonly groups = new Map<string, GroupMember[]>();
  /** Host paths, by number. */
  readonly paths = new Map<string, string>();
  readonly #ids: string[];
  #made = 0;

  /** `ids` are handed out first. */
  constructor(ids: readonly string[] = []) {
    this.#ids = [...ids];
  }

  getHostPath({ ContainerPath, Major, Minor }: DeviceInfo): Promise<string> {
    return Promise.resolve(this.paths.get(`${Major}:${Minor}`) ?? ContainerPath);
  }

  groupMembers(path: string): Promise<GroupMember[]> {
    return Promise.resolve(this.groups.get(path) ?? []);
  }

  groupPath(sysfsDev: string): Promise<string | undefined> {
    const found = [...this.groups].find(([, members]) => members.some((each) => each.SysfsDev === sysfsDev));
    return Promise.resolve(found?.[0]);
  }

  randomID(): string {
    this.#made += 1;
    return this.#ids.shift() ?? this.#made.toString(16).padStart(16, '0');
  }
}

type Call = 'add' | 'remove' | 'append' | 'index' | 'unset';

/** A receiver that keeps what it has, and fails where it is told to. */
export class TestReceiver implements DeviceReceiver {
  /** Ids of the devices that it has; what was plugged at boot stays. */
  readonly plugged = new Set<string>();
  readonly booted = new Set<string>();
  readonly indexes = new Set<number>();
  readonly calls: string[] = [];
  offset = 0;
  /** Thrown by the next call of that name. */
  readonly failures = new Map<Call, Error>();
  /** Whether a call does what it is to do before it fails. */
  doesBeforeFailing = false;
  /** Runs inside the next call of that name, before it fails or succeeds. */
  readonly during = new Map<Call, () => Promise<void> | void>();

  async hotplugAddDevice(device: Device, type: DeviceType): Promise<void> {
    await this.#call('add', `${type} ${device.deviceID()}`, () => this.plugged.add(device.deviceID()));
  }

  async hotplugRemoveDevice(device: Device, type: DeviceType): Promise<void> {
    await this.#call('remove', `${type} ${device.deviceID()}`, () => this.plugged.delete(device.deviceID()));
  }

  async getAndSetSandboxBlockIndex(): Promise<number> {
    let index = 0;
    await this.#call('index', '', () => {
      while (this.indexes.has(index)) index += 1;
      this.indexes.add(index);
    });
    return index;
  }

  async unsetSandboxBlockIndex(index: number): Promise<void> {
    await this.#call('unset', `${index}`, () => this.indexes.delete(index));
  }

  getSandboxBlockOffset(): number {
    return this.offset;
  }

  getHypervisorType(): HypervisorType {
    return 'mock';
  }

  async appendDevice(device: Device): Promise<void> {
    await this.#call('append', `${device.deviceType()} ${device.deviceID()}`, () =>
      this.booted.add(device.deviceID()),
    );
  }

  async #call(call: Call, what: string, does: () => unknown): Promise<void> {
    this.calls.push(what === '' ? call : `${call} ${what}`);
    const run = this.during.get(call);
    this.during.delete(call);
    await run?.();
    const failure = this.failures.get(call);
    this.failures.delete(call);
    if (failure === undefined || this.doesBeforeFailing) does();
    if (failure !== undefined) throw failure;
  }
}

/** A receiver that can be asked what it has. */
export class AskableReceiver extends TestReceiver {
  readonly asked: string[] = [];

  hasDevice(device: Device): Promise<boolean> {
    this.asked.push(device.deviceID());
    return Promise.resolve(this.plugged.has(device.deviceID()) || this.booted.has(device.deviceID()));
  }
}

/** An error as a VMM's driver throws it. */
export function refusal(code: ErrorCode = 'vmm-refused'): VmplugError {
  return new VmplugError(code, { action: 'plug', subject: 'device', reason: 'no' });
}

/** The code that `work` is refused with. */
export async function codeOf(work: Promise<unknown>): Promise<ErrorCode> {
  const error: unknown = await work.then(
    () => expect.fail('it was not refused'),
    (reason: unknown) => reason,
  );
  return error instanceof VmplugError ? error.code : expect.fail(String(error));
}

/** `done`, or the code that `work` is refused with. */
export async function outcomeOf(work: Promise<unknown>): Promise<ErrorCode | 'done'> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof VmplugError) return error.code;
    throw error;
  }
}

export function driveOf(
  device: Device,
): NonNullable<Extract<ReturnType<Device['getDeviceInfo']>, { type: 'block' }>['drive']> {
  const payload = device.getDeviceInfo();
  return payload.type === 'block' && payload.drive !== null ? payload.drive : expect.fail('no drive');
}

export function membersOf(device: Device): readonly VFIODev[] {
  const payload = device.getDeviceInfo();
  return payload.type === 'vfio' ? payload.devices : expect.fail('no group');
}

/** The attributes of a vhost-user device, `null` before its first attach. */
export function attrsOf(
  device: Device,
): Extract<ReturnType<Device['getDeviceInfo']>, { type: 'vhost-user-blk-pci' }>['attrs'] {
  const payload = device.getDeviceInfo();
  return 'attrs' in payload ? payload.attrs : expect.fail('not a vhost-user device');
}
