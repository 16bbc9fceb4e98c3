import type { DeviceInfo, DevicePayload } from '../../api/device-info.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import type { DeviceState } from '../../api/device-state.ts';
import type { DeviceType } from '../../api/device-type.ts';
import type { Device } from '../../api/device.ts';
import { VmplugError } from '../../api/errors.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import { bump, mostCounted, savedCount } from './attach-count.ts';
import { copyInfo } from './copy-info.ts';
import { mostAttachmentsError, notAttachedError } from './count-errors.ts';
import { readDeviceState, type ReadState } from './read-state.ts';

/** The step between 0 and 1 attachments that is being made, and what was before it. */
interface UnderWay<P> {
  readonly action: 'attach' | 'detach';
  readonly attachments: bigint;
  readonly payload: P;
  readonly ended: Promise<void>;
}

/** What a payload adds to a saved device, v1's part. */
export type PayloadState = Pick<DeviceState, 'BlockDrive' | 'VFIODevs' | 'VhostUserDev'>;
/** What a payload adds to a saved device, beyond v1's form. */
export type PayloadBeyondV1 = Pick<ManagedDeviceRecord, 'drive' | 'members' | 'share'>;

/**
 * What all kinds of device have in common: identity, the two counters, saving and loading. A kind
 * says what its payload is and how it is plugged.
 *
 * As in v1 the count changes before the receiver is asked and goes back when it refuses. What is
 * read from outside in the meantime differs in purpose: `getAttachCount` has the count with the
 * step that is being made, `save` and {@link CountedDevice.isAttached} only what the receiver has
 * confirmed (W61). A call that comes while the step is being made waits for its end.
 */
export abstract class CountedDevice<P> implements Device {
  /** Replaced as a whole by each plug, so that a failed one leaves what was there before (W45). */
  protected payload: P;
  #id: string;
  #info: DeviceInfo | null;
  #references = 0n;
  #attachments = 0n;
  #underWay: UnderWay<P> | undefined = undefined;

  constructor(info: DeviceInfo | null, payload: P) {
    this.#id = info?.ID ?? '';
    this.#info = info === null ? null : copyInfo(info);
    this.payload = payload;
  }

  abstract deviceType(): DeviceType;
  abstract getDeviceInfo(): DevicePayload;
  /** Whether the step between 0 and 1 attachments asks the receiver for anything. */
  abstract asksReceiver(action: 'attach' | 'detach'): boolean;
  /** The block index in the payload, where there is one. It is this device's while {@link CountedDevice.mayBeInVM}. */
  abstract blockIndex(): number | undefined;
  /** Sets the payload and asks the receiver; leaves nothing taken when it throws. */
  protected abstract plug(receiver: DeviceReceiver): Promise<void>;
  protected abstract unplug(receiver: DeviceReceiver): Promise<void>;
  protected abstract saved(payload: P): PayloadState & PayloadBeyondV1;
  /** The payload of a saved device, which shares nothing with it. */
  protected abstract loaded(state: ReadState, beyond: PayloadBeyondV1): P;
  /** The host path and what else of its request a payload tells, for states that have no request. */
  protected abstract infoOf(payload: P): Pick<DeviceInfo, 'HostPath' | 'ReadOnly' | 'Pmem'>;

  async attach(receiver: DeviceReceiver): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay.ended;
    await this.#count('attach', () => this.plug(receiver));
  }

  async detach(receiver: DeviceReceiver): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay.ended;
    await this.#count('detach', () => this.unplug(receiver));
  }

  deviceID(): string {
    return this.#id;
  }

  /** Zeros for a device without a request. */
  getMajorMinor(): [major: number, minor: number] {
    return [this.#info?.Major ?? 0, this.#info?.Minor ?? 0];
  }

  getHostPath(): string {
    return this.#info?.HostPath ?? '';
  }

  getAttachCount(): bigint {
    return this.#attachments;
  }

  /** Whether the receiver has confirmed an attachment, and no detach of the last one. */
  isAttached(): boolean {
    return (this.#underWay?.attachments ?? this.#attachments) > 0n;
  }

  /** Whether it is plugged, is being plugged or unplugged, or could be part of the boot configuration. */
  mayBeInVM(): boolean {
    return this.isAttached() || this.#attachments > 0n || this.#info?.ColdPlug === true;
  }

  getRefCount(): bigint {
    return this.#references;
  }

  reference(): bigint {
    if (this.#references < mostCounted) this.#references += 1n;
    return this.#references;
  }

  dereference(): bigint {
    if (this.#references > 0n) this.#references -= 1n;
    return this.#references;
  }

  /** The request that the device was made from. Not to be changed. */
  get info(): Readonly<DeviceInfo> | null {
    return this.#info;
  }

  save(): DeviceState {
    return this.record('undone').state;
  }

  /**
   * The device as it is kept, sharing nothing with it. While a step is being made, that step is
   * `pending` in it; `done` and `undone` say how it is going to end.
   */
  record(outcome?: 'done' | 'undone'): ManagedDeviceRecord {
    const step = this.#underWay;
    const isUndone = step !== undefined && outcome === 'undone';
    const confirmed = step === undefined || outcome === 'done' ? this.#attachments : step.attachments;
    const { BlockDrive, VFIODevs, VhostUserDev, ...beyond } = this.saved(
      isUndone ? step.payload : this.payload,
    );
    return {
      state: {
        ID: this.#id,
        Type: this.deviceType(),
        RefCount: savedCount(this.#references),
        AttachCount: savedCount(confirmed),
        DevType: this.#info?.DevType ?? '',
        Major: this.#info?.Major ?? 0,
        Minor: this.#info?.Minor ?? 0,
        ColdPlug: this.#info?.ColdPlug ?? false,
        DriverOptions: this.#info?.DriverOptions ? { ...this.#info.DriverOptions } : null,
        ...(BlockDrive === undefined ? {} : { BlockDrive }),
        ...(VFIODevs === undefined ? {} : { VFIODevs }),
        ...(VhostUserDev === undefined ? {} : { VhostUserDev }),
      },
      info: this.#info === null ? null : copyInfo(this.#info),
      ...beyond,
      ...(step === undefined || outcome !== undefined ? {} : { pending: step.action }),
    };
  }

  load(state: DeviceState): void {
    this.restore({ state, info: null });
  }

  /**
   * Becomes what `record` says, whole or not at all. What v1's form doesn't have is taken from
   * the rest of the record, and where that is missing from the payload (W95).
   * @throws VmplugError `state-kind-mismatch`, `invalid-state`; `operation-in-progress` while a step is being made
   */
  restore(record: Omit<ManagedDeviceRecord, 'pending'>): void {
    const state = readDeviceState(record.state, this.deviceType());
    if (this.#underWay !== undefined) throw this.#busy();
    const payload = this.loaded(state, record);
    const known = record.info ?? {
      ...state,
      ...this.infoOf(payload),
      ContainerPath: '',
      FileMode: 0,
      UID: 0,
      GID: 0,
    };
    this.#info = copyInfo(known);
    this.#id = state.ID;
    this.#references = state.RefCount;
    this.#attachments = state.AttachCount;
    this.payload = payload;
  }

  /** Sets the count to what the receiver was found to have: one attachment or none. */
  settle(isAttached: boolean): void {
    this.#attachments = isAttached ? 1n : 0n;
  }

  /** A path that the receiver needs and that the device was never told. */
  protected requireHostPath(): string {
    const path = this.getHostPath();
    if (path !== '') return path;
    throw new VmplugError('source-not-found', {
      action: 'attach the device',
      subject: this.#id,
      reason: 'its path on the host is not known: it was made, or saved, without one',
      hint: 'remove it and make it anew from its host device',
    });
  }

  async #count(action: 'attach' | 'detach', work: () => Promise<void>): Promise<void> {
    const { count, skip, error } = bump(this.#attachments, action === 'attach');
    if (error === 'too-many-attachments') throw mostAttachmentsError(this.#id);
    if (error === 'device-not-attached') throw notAttachedError(this.#id);
    if (skip || !this.asksReceiver(action)) {
      this.#attachments = count;
      return;
    }
    const before = { attachments: this.#attachments, payload: this.payload };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay = { action, ...before, ended: promise };
    this.#attachments = count;
    try {
      await work();
    } catch (failure) {
      this.#attachments = before.attachments;
      this.payload = before.payload;
      throw failure;
    } finally {
      this.#underWay = undefined;
      resolve();
    }
  }

  #busy(): VmplugError {
    return new VmplugError('operation-in-progress', {
      action: 'load the device',
      subject: this.#id,
      reason: 'an attach or detach of it is under way',
      hint: 'wait until that has ended',
    });
  }
}

/** A device of any kind, as its manager sees it. */
export type AnyDevice = CountedDevice<unknown>;
