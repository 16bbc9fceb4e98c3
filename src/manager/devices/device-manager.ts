import type { DeviceHost, VhostUserStore } from '../../api/device-host.ts';
import type { DeviceInfo } from '../../api/device-info.ts';
import type { DeviceManager } from '../../api/device-manager.ts';
import type { DeviceReceiver } from '../../api/device-receiver.ts';
import type { DeviceState } from '../../api/device-state.ts';
import type { BlockDriver } from '../../api/device-type.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import { mostCounted, savedCount } from '../../devices/managed/attach-count.ts';
import { mostAttachmentsError, notAttachedError } from '../../devices/managed/count-errors.ts';
import { copyInfo } from '../../devices/managed/copy-info.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import type { DeviceJournal } from './device-journal.ts';
import {
  attachedError,
  fullError,
  idExhaustedError,
  loadBusyError,
  mostReferencesError,
  notFoundError,
} from './device-manager-errors.ts';
import { DeviceQueues } from './device-queues.ts';
import { checkAgreement, checkRequest, deviceKey } from './device-request.ts';
import { knownBlockDriver, makeDevice, type Routing } from './device-routing.ts';
import { readSaved } from './device-saved.ts';
import { returnUnusedIndex, settleDevice, unsettledError } from './device-settling.ts';
import { JournaledStep, type Unsettled } from './device-steps.ts';
import { DeviceTable } from './device-table.ts';

export interface DeviceManagerOptions {
  readonly host: DeviceHost;
  /** As what disks are plugged; as in v1 what is no such driver means `virtio-scsi`. */
  readonly blockDriver?: string;
  /** Not enabled when left out. */
  readonly vhostUserStore?: VhostUserStore;
  /** Devices to begin with; no reference is added. */
  readonly devices?: readonly AnyDevice[];
  /** Where the devices are kept; without it they end with the process. */
  readonly journal?: DeviceJournal;
  /** The most devices that there may be; without it there is no limit. */
  readonly mostDevices?: number;
}

const idTries = 5;
const noStore: VhostUserStore = { enabled: false, path: '' };

/**
 * The devices of one sandbox (v1's `deviceManager`, `virtcontainers/device/manager/manager.go`).
 *
 * Attaches, detaches and removals of one device are done in the order in which they were asked
 * for; nothing else waits, and no lookup does (W60). What has been resolved is in the journal,
 * and what the journal refuses has not been done.
 */
export class SandboxDeviceManager implements DeviceManager {
  readonly #devices = new DeviceTable();
  readonly #queues = new DeviceQueues();
  readonly #unsettled = new Map<string, Unsettled>();
  /** Steps that are being made, by device. */
  readonly #steps = new Map<string, JournaledStep>();
  readonly #journal: DeviceJournal | undefined;
  readonly #mostDevices: number;
  #routing: Routing;

  constructor(options: DeviceManagerOptions) {
    this.#routing = {
      host: options.host,
      blockDriver: knownBlockDriver(options.blockDriver),
      vhostUserStore: options.vhostUserStore ?? noStore,
    };
    this.#journal = options.journal;
    this.#mostDevices = options.mostDevices ?? Number.POSITIVE_INFINITY;
    for (const device of options.devices ?? []) this.#devices.add(device);
  }

  /** The driver of disks that are made from here on. */
  get blockDriver(): BlockDriver {
    return this.#routing.blockDriver;
  }

  set blockDriver(name: string) {
    this.#routing = { ...this.#routing, blockDriver: knownBlockDriver(name) };
  }

  async newDevice(info: DeviceInfo): Promise<AnyDevice> {
    checkRequest(info);
    // By value, as in v1: what the caller makes of its own while the host is asked is another request.
    const asked = copyInfo(info);
    const { host, vhostUserStore } = this.#routing;
    const HostPath = asked.Pmem ? asked.HostPath : await host.getHostPath(asked, vhostUserStore);
    const request = { ...asked, HostPath };
    // From here on nothing is waited for, so that two requests for one node make one device.
    const known = this.#devices.find(deviceKey(request));
    return known === undefined ? this.#make(request) : this.#share(known, request);
  }

  async removeDevice(id: string): Promise<void> {
    await this.#queues.inOrder(id, async () => this.#remove(this.#require(id, 'remove the device')));
  }

  async attachDevice(id: string, receiver: DeviceReceiver): Promise<void> {
    await this.#queues.inOrder(id, async () => {
      const device = this.#require(id, 'attach the device');
      const unsettled = this.#unsettled.get(id);
      if (unsettled !== undefined) {
        const has = await this.#settle(device, unsettled, receiver);
        // Nobody was told of the attachment that was found: it is this one.
        if (has && unsettled.pending === 'attach') return;
      }
      if (device.getAttachCount() === mostCounted) throw mostAttachmentsError(id);
      await this.#step(device, 'attach', receiver);
    });
  }

  async detachDevice(id: string, receiver: DeviceReceiver): Promise<void> {
    await this.#queues.inOrder(id, async () => {
      const device = this.#require(id, 'detach the device');
      const unsettled = this.#unsettled.get(id);
      if (unsettled !== undefined) {
        const has = await this.#settle(device, unsettled, receiver);
        // The detach that nobody saw the end of has done what this one is for.
        if (!has && unsettled.pending === 'detach') return;
      }
      if (device.getAttachCount() === 0n) throw notAttachedError(id);
      await this.#step(device, 'detach', receiver);
    });
  }

  /** While an attach or detach is under way, what was before it. */
  isDeviceAttached(id: string): boolean {
    return this.#devices.get(id)?.isAttached() ?? false;
  }

  getDeviceByID(id: string): AnyDevice | undefined {
    return this.#devices.get(id);
  }

  getAllDevices(): AnyDevice[] {
    return this.#devices.sorted();
  }

  /** What nobody saw the end of: settled by the next attach or detach, which asks the receiver. */
  isUnsettled(id: string): boolean {
    return this.#unsettled.has(id);
  }

  /** The block indexes that are taken: those of all disks that the VM has, or may have. */
  blockIndexes(): Set<number> {
    const held = this.getAllDevices().filter(
      (device) => device.mayBeInVM() || this.#unsettled.has(device.deviceID()),
    );
    return new Set(held.flatMap((device) => device.blockIndex() ?? []));
  }

  loadDevices(states: readonly DeviceState[]): void {
    this.#load(
      states.map((state) => ({ state, info: null })),
      (records) => this.#journal?.put(...records),
    );
  }

  /**
   * As {@link loadDevices}, with all that was kept of them. They are not journalled, because it is
   * the journal that they come from.
   * @throws VmplugError `invalid-state`, `state-kind-mismatch`; nothing is loaded then
   */
  loadRecords(records: readonly ManagedDeviceRecord[]): void {
    this.#load(records, () => undefined);
  }

  #load(records: readonly ManagedDeviceRecord[], journal: (read: ManagedDeviceRecord[]) => void): void {
    const saved = records.flatMap((record) => readSaved(record, this.#routing.host) ?? []);
    for (const { device } of saved) {
      if (this.#queues.isBusy(device.deviceID())) throw loadBusyError(device.deviceID());
    }
    journal(saved.map(({ device }) => device.record()));
    for (const { device, pending } of saved) {
      this.#devices.add(device);
      if (pending === undefined) this.#unsettled.delete(device.deviceID());
      else this.#unsettled.set(device.deviceID(), { pending });
    }
  }

  #make(request: DeviceInfo): AnyDevice {
    if (this.#devices.size >= this.#mostDevices) throw fullError(request.ContainerPath, this.#mostDevices);
    const device = makeDevice({ ...request, ID: this.#newID() }, this.#routing);
    device.reference();
    this.#journal?.put(device.record());
    this.#devices.add(device);
    return device;
  }

  #share(device: AnyDevice, request: DeviceInfo): AnyDevice {
    if (device.info !== null) checkAgreement(device.info, request);
    const count = device.getRefCount();
    if (count === mostCounted) throw mostReferencesError(device.deviceID());
    this.#put(device, { RefCount: savedCount(count + 1n) });
    device.reference();
    return device;
  }

  /** Refused before the reference is dropped, unlike in v1 (W46). */
  #remove(device: AnyDevice): void {
    const id = device.deviceID();
    const count = device.getRefCount();
    if (count > 1n) {
      this.#put(device, { RefCount: savedCount(count - 1n) });
      device.dereference();
      return;
    }
    if (device.getAttachCount() > 0n || device.isAttached()) throw attachedError(id);
    const unsettled = this.#unsettled.get(id);
    if (unsettled !== undefined) throw unsettledError(id, unsettled.pending, 'the VM may have it');
    this.#journal?.delete(id);
    device.dereference();
    this.#devices.delete(id);
  }

  async #step(device: AnyDevice, action: 'attach' | 'detach', receiver: DeviceReceiver): Promise<void> {
    const count = device.getAttachCount();
    const isEdge = count === (action === 'attach' ? 0n : 1n);
    if (!isEdge || !device.asksReceiver(action)) {
      // Nothing is asked of the receiver, so nothing can fail once it is recorded.
      this.#put(device, { AttachCount: savedCount(action === 'attach' ? count + 1n : count - 1n) });
      await device[action](receiver);
      return;
    }
    const step = new JournaledStep(device, receiver, this.#journal);
    this.#steps.set(device.deviceID(), step);
    try {
      await device[action](step);
    } catch (error) {
      if (step.unsettled !== undefined) this.#leaveUnsettled(device, action, step.unsettled);
      throw error;
    } finally {
      this.#steps.delete(device.deviceID());
    }
  }

  /** The payload stays what the receiver was asked with, so that it can be asked about it. */
  #leaveUnsettled(
    device: AnyDevice,
    pending: 'attach' | 'detach',
    { record, has }: NonNullable<JournaledStep['unsettled']>,
  ): void {
    const RefCount = savedCount(device.getRefCount());
    device.restore({ ...record, state: { ...record.state, RefCount } });
    this.#unsettled.set(device.deviceID(), { pending, ...(has === undefined ? {} : { has }) });
  }

  async #settle(device: AnyDevice, unsettled: Unsettled, receiver: DeviceReceiver): Promise<boolean> {
    const has = await settleDevice(device, unsettled, receiver, this.#journal);
    this.#unsettled.delete(device.deviceID());
    await returnUnusedIndex(device, receiver);
    return has;
  }

  /** Makes `counts` durable before they are true in memory, where changing them cannot fail. */
  #put(device: AnyDevice, counts: Partial<Pick<DeviceState, 'RefCount' | 'AttachCount'>>): void {
    if (this.#journal === undefined) return;
    const step = this.#steps.get(device.deviceID());
    const record = step?.unsettled?.record ?? device.record(step?.outcome);
    const pending = record.pending ?? this.#unsettled.get(device.deviceID())?.pending;
    this.#journal.put({
      ...record,
      state: { ...record.state, ...counts },
      ...(pending === undefined ? {} : { pending }),
    });
  }

  #require(id: string, action: string): AnyDevice {
    const device = this.#devices.get(id);
    if (device === undefined) throw notFoundError(id, action);
    return device;
  }

  #newID(): string {
    for (let tries = 0; tries < idTries; tries += 1) {
      const id = this.#routing.host.randomID();
      if (!this.#devices.has(id)) return id;
    }
    throw idExhaustedError(idTries);
  }
}
