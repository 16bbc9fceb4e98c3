import type { AttachmentRecord } from '../api/attachment.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { hostSysfs, type HostSysfs } from '../host/vfio/host-sysfs.ts';
import { attach, planAttach } from '../operations/attach.ts';
import type { OperationContext } from '../operations/context.ts';
import { detach } from '../operations/detach.ts';
import type { Detached } from '../operations/detached.ts';
import type { LeaseContext } from '../operations/leases.ts';
import { adoptSandbox } from '../sandbox/adopt.ts';
import { forgetSandbox, forgetUnseen } from '../sandbox/forget.ts';
import { lifeOf } from '../sandbox/life.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { runSandbox } from '../sandbox/run.ts';
import type { SandboxReceiverOptions } from '../sandbox/sandbox-receiver.ts';
import { stopSandbox } from '../sandbox/stop.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import {
  attachRequest,
  limits,
  type AttachOptions,
  type CallOptions,
  type ForgetOptions,
  type RunOptions,
} from './call-options.ts';
import { Connections } from './connections.ts';
import { examineAll, type DoctorOptions, type Examined } from './doctor/all.ts';
import type { Finding } from './doctor/finding.ts';
import { keepBackup } from './state-repair.ts';
import { giveBackGone, giveBackGroups } from './give-back.ts';
import { findDevice } from './find-device.ts';
import { noSandbox } from './listing.ts';
import { RunningCalls } from './running-calls.ts';
import { viewDevice, viewVm, type DeviceView, type SandboxView } from './views.ts';
import { Vms } from './vms.ts';
import { SandboxDevices, type SandboxDevicesOptions } from './sandbox-devices.ts';

export type { AttachOptions, CallOptions } from './call-options.ts';
export type { DeviceView, SandboxView } from './views.ts';

export interface VmplugOptions {
  /** Where the state is kept; {@link stateDirectory} says which is the default. */
  readonly stateDir?: string;
  /** Milliseconds for which a connection to a VMM is kept after its last use; 1000 by default. */
  readonly lingerMs?: number;
  /** The most milliseconds that a VMM is given to answer one command; 30,000 by default. */
  readonly vmmPatienceMs?: number;
  /** Hears what is being done, for people who watch. */
  readonly onProgress?: (text: string) => void;
  /** Where host devices are found and the drivers of PCI functions are changed: by default this host's own. */
  readonly sysfs?: HostSysfs;
}

/** Milliseconds in which calls that are given up by closing may come to their end with the VMM. */
const politeMs = 1000;
/** Milliseconds in which they may record what became of them, and put drivers of this host in order. */
const recordMs = 10_000;

/**
 * The whole of vmplug as one object: sandboxes, and the devices in them. Several of them, in
 * several processes, may work on one state directory at once.
 */
export class Vmplug implements AsyncDisposable {
  readonly stateDir: string;
  readonly #store: Store;
  readonly #connections: Connections;
  readonly #vms: Vms;
  readonly #calls: RunningCalls;
  readonly #sysfs: HostSysfs;
  readonly #onProgress: ((text: string) => void) | undefined;

  private constructor(store: Store, stateDir: string, options: VmplugOptions) {
    this.#store = store;
    this.stateDir = stateDir;
    this.#sysfs = options.sysfs ?? hostSysfs;
    this.#connections = new Connections(options.lingerMs ?? 1000, options.vmmPatienceMs);
    this.#onProgress = options.onProgress;
    this.#calls = new RunningCalls(stateDir);
    this.#vms = new Vms({ ...this.#leases, connections: this.#connections, onProgress: options.onProgress });
  }

  /**
   * Opens the state, making it where there is none.
   * @throws VmplugError `state-unavailable`, `state-damaged`, `state-too-new`
   */
  static open(options: VmplugOptions = {}): Vmplug {
    const stateDir = stateDirectory(options.stateDir);
    return new Vmplug(SqliteStore.open(stateDir), stateDir, options);
  }

  /**
   * Closes it. Calls that are under way are given up (`aborted`), as by their own signals: what they had begun is
   * recorded and settled by the next command on the sandbox.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls.giveUp(politeMs);
    // A VMM that has not answered by then is not waited for any longer.
    await this.#connections[Symbol.asyncDispose]();
    await this.#calls.giveUp(recordMs);
    keepBackup(this.stateDir);
    this.#store[Symbol.dispose]();
  }

  /** Every sandbox, by name. */
  sandboxes(): SandboxRecord[] {
    return this.#store.read((tx) => tx.sandboxes());
  }

  /** @throws VmplugError `sandbox-not-found` */
  sandbox(name: string): SandboxRecord {
    return this.#store.read((tx) => {
      const found = tx.sandbox(name);
      if (found === undefined) throw noSandbox(name);
      return found;
    });
  }

  /** The devices of a sandbox, or of all, in the order in which they were attached; as recorded. */
  list(sandbox?: string): AttachmentRecord[] {
    if (sandbox !== undefined) this.sandbox(sandbox);
    return this.#store.read((tx) => tx.attachments(sandbox));
  }

  /**
   * Starts a VM with QEMU. {@link Vmplug.list} has the devices that it has from the start.
   * @throws VmplugError as {@link runSandbox}
   */
  async run(request: RunOptions): Promise<SandboxRecord> {
    return this.#calls.run(request, (options) => this.#run(options));
  }

  #run(request: RunOptions): Promise<SandboxRecord> {
    const { coldPlug = [], wait, ...machine } = request;
    return runSandbox(this.#store, {
      ...machine,
      ...limits(request),
      stateDir: this.stateDir,
      sysfs: this.#sysfs,
      coldPlug: coldPlug.map((device) => {
        const { source, ...options } = typeof device === 'string' ? { source: device } : device;
        const asked = { ...(wait === undefined ? {} : { wait }), ...options, ...limits(request) };
        return attachRequest(source, asked, this.#sysfs);
      }),
      ...(this.#onProgress === undefined ? {} : { onProgress: this.#onProgress }),
    });
  }

  /**
   * Takes up a QEMU that somebody else started.
   * @throws VmplugError as {@link adoptSandbox}
   */
  async adopt(name: string, qmp: string, options: CallOptions = {}): Promise<SandboxRecord> {
    return this.#calls.run(options, (given) => adoptSandbox(this.#store, { name, qmp, ...limits(given) }));
  }

  /** @throws VmplugError `sandbox-not-found`, and as {@link stopSandbox} */
  async stop(name: string, options: CallOptions = {}): Promise<void> {
    return this.#calls.run(options, async (given) => {
      const sandbox = this.sandbox(name);
      await this.#connections.drop(name);
      await stopSandbox(this.#store, sandbox, limits(given));
      await giveBackGroups(this.#leases, { action: 'stop', sandbox: name });
    });
  }

  /**
   * Removes a sandbox from the records; the VM is not touched.
   * @returns with `force`, as {@link forgetUnseen}: what a VM that cannot be seen may still use
   * @throws VmplugError `sandbox-not-found`, and as {@link forgetSandbox} and {@link forgetUnseen}
   */
  async forget(name: string, options: ForgetOptions = {}): Promise<AttachmentRecord[]> {
    return this.#calls.run(options, async ({ force = false, ...given }) => {
      const sandbox = this.sandbox(name);
      await this.#connections.drop(name);
      const left = force ? await forgetUnseen(this.#store, sandbox, limits(given)) : [];
      if (!force) forgetSandbox(this.#store, sandbox);
      await giveBackGroups(this.#leases, { action: 'forget', sandbox: name });
      return left;
    });
  }

  /**
   * Attaches a host device and waits for the evidence that the guest has it.
   * @param source as `parseSource` reads it
   * @throws VmplugError as {@link attach}, `sandbox-not-found`, `vm-gone`, `monitor-busy`
   */
  async attach(sandbox: string, source: string, options: AttachOptions = {}): Promise<AttachmentRecord> {
    return this.#with(sandbox, options, (context, given) =>
      attach(context, attachRequest(source, given, this.#sysfs)),
    );
  }

  /** What {@link Vmplug.attach} would do, as a record with its plan; changes nothing. */
  async planAttach(sandbox: string, source: string, options: AttachOptions = {}): Promise<AttachmentRecord> {
    return this.#with(sandbox, options, (context, given) =>
      planAttach(context, attachRequest(source, given, this.#sysfs)),
    );
  }

  /**
   * Detaches a device, given by id, the beginning of its id, or its source. When the VM has
   * ended, what the device held is freed and that is a success too.
   * @throws VmplugError as {@link detach}, `sandbox-not-found`, `monitor-busy`
   */
  async detach(sandbox: string, device: string, options: CallOptions = {}): Promise<Detached> {
    const attachment = await findDevice(this.list(sandbox), device, { sandbox }).catch(async (error) => {
      // A detach that was killed may have left its group with vfio-pci: this is the same one again.
      await giveBackGroups(this.#leases);
      throw error;
    });
    try {
      return await this.#with(sandbox, options, (context, given) =>
        detach(context, { device: attachment.id, ...limits(given) }),
      );
    } catch (error) {
      const stillThere = this.#store.read((tx) => tx.attachment(attachment.id)) !== undefined;
      if (stillThere || !hasCode(error, 'vm-gone', 'vm-replaced', 'device-not-found')) throw error;
      await giveBackGone(this.#leases, attachment.id, attachment.source);
      return { attachment, state: hasCode(error, 'device-not-found') ? 'released' : 'gone', timeline: {} };
    }
  }

  /**
   * The devices of a sandbox as v1's manager has them, with the VM as their receiver. One of
   * these for a sandbox at a time, as in v1.
   * @throws VmplugError `sandbox-not-found`, `invalid-state`
   */
  devices(sandbox: string, options: SandboxDevicesOptions = {}): SandboxDevices {
    const use: SandboxReceiverOptions['use'] = (work) => this.#with(sandbox, options, work);
    return new SandboxDevices(this.#store, this.sandbox(sandbox), use, options);
  }

  /** @throws VmplugError `sandbox-not-found` */
  async inspectSandbox(name: string, options: CallOptions = {}): Promise<SandboxView> {
    const record = this.sandbox(name);
    const view = { record, life: lifeOf(record), attachments: this.list(name) };
    try {
      const live = await this.#with(name, options, async (context, given) => viewVm(context, limits(given)));
      return { ...view, attachments: this.list(name), live };
    } catch (error) {
      if (!(error instanceof VmplugError)) throw error;
      return { ...view, life: lifeOf(record), attachments: this.list(name), problem: error };
    }
  }

  /** @throws VmplugError `device-not-found` */
  async inspect(device: string, options: CallOptions = {}): Promise<DeviceView> {
    const attachment = await findDevice(this.list(), device);
    const operations = this.#store.read((tx) => tx.operations({ device: attachment.id }));
    try {
      const seen = await this.#with(attachment.sandbox, options, async (context, given) =>
        viewDevice(context, attachment, limits(given)),
      );
      return { ...seen, operations };
    } catch (error) {
      if (!(error instanceof VmplugError)) throw error;
      return { attachment, operations, problem: error };
    }
  }

  /**
   * Compares the records with the VMs, and mends what is off when asked to.
   * @throws VmplugError as {@link examineAll}
   */
  async doctor(options: DoctorOptions = {}): Promise<Finding[]> {
    return this.#calls.run(options, (given) => {
      const use: Examined['use'] = (sandbox, bounds, work) => this.#vms.look(sandbox, bounds, work);
      return examineAll({ store: this.#store, stateDir: this.stateDir, leases: this.#leases, use }, given);
    });
  }

  /** Runs `work` on the sandbox's VM, with everything settled that was left open before; closing gives it up. */
  #with<O extends CallOptions, T>(
    name: string,
    given: O,
    work: (context: OperationContext, options: O) => Promise<T>,
  ): Promise<T> {
    return this.#calls.run(given, async (options) =>
      this.#vms.work(this.sandbox(name), limits(options), (context) => work(context, options)),
    );
  }

  get #leases(): LeaseContext {
    return { store: this.#store, sysfs: this.#sysfs };
  }
}
