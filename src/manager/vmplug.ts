import { isDeepStrictEqual } from 'node:util';
import type { AttachmentRecord, DiskOptions } from '../api/attachment.ts';
import { VirtioBlock, type BlockDriver } from '../api/device-type.ts';
import { hasCode, VmplugError } from '../api/errors.ts';
import type { Evidence } from '../api/evidence.ts';
import type { ImageFormat } from '../api/host-device.ts';
import type { ExchangeOptions, Observation, VmmFacts, VmStatus } from '../api/hypervisor.ts';
import type { OperationRecord } from '../api/operation.ts';
import type { Bus } from '../api/place.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { isAlive, ownIdentity } from '../host/process-identity.ts';
import { resolveDisk } from '../host/disk/resolve-disk.ts';
import { attach, planAttach } from '../operations/attach.ts';
import type { AttachRequest } from '../operations/attach-request.ts';
import { countPlaces } from '../operations/choose-place.ts';
import type { OperationContext } from '../operations/context.ts';
import { detach, type Detached } from '../operations/detach.ts';
import { releaseAll, settleSandbox } from '../operations/settle.ts';
import { adoptSandbox } from '../sandbox/adopt.ts';
import { lifeOf, type Life } from '../sandbox/life.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { runSandbox, type RunRequest } from '../sandbox/run.ts';
import type { SandboxReceiverOptions } from '../sandbox/sandbox-receiver.ts';
import { forgetSandbox, stopSandbox } from '../sandbox/stop.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import { Connections } from './connections.ts';
import { examine, examineLost, leftovers, type Finding } from './doctor.ts';
import { findDevice } from './find-device.ts';
import { noSandbox } from './listing.ts';
import { SandboxDevices, type SandboxDevicesOptions } from './sandbox-devices.ts';

export interface VmplugOptions {
  /** Where the state is kept; {@link stateDirectory} says which is the default. */
  readonly stateDir?: string;
  /** Milliseconds for which a connection to a VMM is kept after its last use; 1000 by default. */
  readonly lingerMs?: number;
  /** Hears what is being done, for people who watch. */
  readonly onProgress?: (text: string) => void;
}

/** Limits of one call. */
export interface CallOptions {
  /** Milliseconds to wait for the guest or the VMM; 10,000 by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface AttachOptions extends CallOptions {
  readonly driver?: BlockDriver;
  readonly readOnly?: boolean;
  /** Others that say so too may have the image at the same time, for writing. */
  readonly shareRw?: boolean;
  readonly format?: ImageFormat;
  /** Attach although this host uses the disk: mounted, swap, device-mapper. */
  readonly force?: boolean;
  /** The evidence to wait for; `live` by default. */
  readonly wait?: Evidence;
  readonly disk?: DiskOptions;
  /** What a relative source is relative to. */
  readonly cwd?: string;
}

/** A sandbox with what its VMM says now. */
export interface SandboxView {
  readonly record: SandboxRecord;
  readonly life: Life;
  readonly attachments: readonly AttachmentRecord[];
  /** Missing when the VMM could not be asked; `problem` says why. */
  readonly live?: {
    readonly status: VmStatus;
    readonly buses: readonly Bus[];
    readonly places: Record<'pci' | 'scsi', { total: number; free: number }>;
  };
  readonly problem?: VmplugError;
}

/** A device with what its VMM says now, and its history. */
export interface DeviceView {
  readonly attachment: AttachmentRecord;
  readonly operations: readonly OperationRecord[];
  readonly observation?: Observation;
  readonly problem?: VmplugError;
}

const defaultTimeoutMs = 10_000;

/**
 * The whole of vmplug as one object: sandboxes, and the devices in them. Several of them, in
 * several processes, may work on one state directory at once.
 */
export class Vmplug implements AsyncDisposable {
  readonly stateDir: string;
  readonly #store: Store;
  readonly #connections: Connections;
  readonly #onProgress: ((text: string) => void) | undefined;

  private constructor(store: Store, stateDir: string, options: VmplugOptions) {
    this.#store = store;
    this.stateDir = stateDir;
    this.#connections = new Connections(options.lingerMs ?? 1000);
    this.#onProgress = options.onProgress;
  }

  /**
   * Opens the state, making it where there is none.
   * @throws VmplugError `state-unavailable`, `state-too-new`
   */
  static open(options: VmplugOptions = {}): Vmplug {
    const stateDir = stateDirectory(options.stateDir);
    return new Vmplug(SqliteStore.open(stateDir), stateDir, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]();
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
   * Starts a VM with QEMU.
   * @throws VmplugError as {@link runSandbox}
   */
  async run(
    request: Omit<RunRequest, 'stateDir' | keyof ExchangeOptions> & CallOptions,
  ): Promise<SandboxRecord> {
    return runSandbox(this.#store, { ...request, ...limits(request), stateDir: this.stateDir });
  }

  /**
   * Takes up a QEMU that somebody else started.
   * @throws VmplugError as {@link adoptSandbox}
   */
  async adopt(name: string, qmp: string, options: CallOptions = {}): Promise<SandboxRecord> {
    return adoptSandbox(this.#store, { name, qmp, ...limits(options) });
  }

  /** @throws VmplugError `sandbox-not-found`, and as {@link stopSandbox} */
  async stop(name: string, options: CallOptions = {}): Promise<void> {
    const sandbox = this.sandbox(name);
    await this.#connections.drop(name);
    await stopSandbox(this.#store, sandbox, limits(options));
  }

  /** @throws VmplugError `sandbox-not-found`, `sandbox-in-use` */
  async forget(name: string): Promise<void> {
    const sandbox = this.sandbox(name);
    await this.#connections.drop(name);
    forgetSandbox(this.#store, sandbox);
  }

  /**
   * Attaches a disk and waits for the evidence that the guest has it.
   * @throws VmplugError as {@link attach}, `sandbox-not-found`, `vm-gone`, `monitor-busy`
   */
  async attach(sandbox: string, source: string, options: AttachOptions = {}): Promise<AttachmentRecord> {
    return this.#with(sandbox, options, (context) => attach(context, this.#request(source, options)));
  }

  /** What {@link Vmplug.attach} would do, as a record with its plan; changes nothing. */
  async planAttach(sandbox: string, source: string, options: AttachOptions = {}): Promise<AttachmentRecord> {
    return this.#with(sandbox, options, (context) => planAttach(context, this.#request(source, options)));
  }

  /**
   * Detaches a device, given by id, the beginning of its id, or its source. When the VM has
   * ended, what the device held is freed and that is a success too.
   * @throws VmplugError as {@link detach}, `sandbox-not-found`, `monitor-busy`
   */
  async detach(sandbox: string, device: string, options: CallOptions = {}): Promise<Detached> {
    const attachment = findDevice(this.list(sandbox), device, sandbox);
    try {
      return await this.#with(sandbox, options, (context) =>
        detach(context, { device: attachment.id, ...limits(options) }),
      );
    } catch (error) {
      const stillThere = this.#store.read((tx) => tx.attachment(attachment.id)) !== undefined;
      if (stillThere || !hasCode(error, 'vm-gone', 'device-not-found')) throw error;
      return { attachment, state: hasCode(error, 'vm-gone') ? 'gone' : 'released', timeline: {} };
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
      return await this.#with(name, options, async ({ hypervisor }) => {
        const [status, buses] = await Promise.all([
          hypervisor.status(limits(options)),
          hypervisor.buses({ ...limits(options), fresh: true }),
        ]);
        const givenOut = this.#store.read((tx) => tx.takenPlaces(name));
        const places = {
          pci: countPlaces(buses, 'pci', givenOut),
          scsi: countPlaces(buses, 'scsi', givenOut),
        };
        return { ...view, attachments: this.list(name), live: { status, buses, places } };
      });
    } catch (error) {
      if (!(error instanceof VmplugError)) throw error;
      return { ...view, life: lifeOf(record), attachments: this.list(name), problem: error };
    }
  }

  /** @throws VmplugError `device-not-found` */
  async inspect(device: string, options: CallOptions = {}): Promise<DeviceView> {
    const attachment = findDevice(this.list(), device);
    const operations = this.#store.read((tx) => tx.operations({ device: attachment.id }));
    try {
      return await this.#with(attachment.sandbox, options, async ({ hypervisor }) => {
        const current = this.#store.read((tx) => tx.attachment(attachment.id)) ?? attachment;
        const observation = await hypervisor.observe(current.plan.vmmId, current.place, limits(options));
        return { attachment: current, operations, observation };
      });
    } catch (error) {
      if (!(error instanceof VmplugError)) throw error;
      return { attachment, operations, problem: error };
    }
  }

  /** Compares the records with the VMs, and mends what is off when asked to. */
  async doctor(options: CallOptions & { readonly repair?: boolean } = {}): Promise<Finding[]> {
    const repair = options.repair ?? false;
    const findings: Finding[] = [];
    for (const sandbox of this.sandboxes()) {
      try {
        findings.push(
          ...(await this.#connections.use(sandbox, limits(options), (hypervisor) =>
            examine(this.#context(sandbox, hypervisor), repair),
          )),
        );
      } catch (error) {
        if (!(error instanceof VmplugError)) throw error;
        findings.push(...examineLost(this.#store, sandbox, error, repair));
      }
    }
    return [...findings, ...(await leftovers(this.#store, this.stateDir, repair))];
  }

  #request(source: string, options: AttachOptions): AttachRequest {
    const { readOnly = false, shareRw = false, force = false, format, cwd, signal } = options;
    return {
      ...limits(options),
      driver: options.driver ?? VirtioBlock,
      options: options.disk ?? {},
      wait: options.wait ?? 'live',
      resolve: (recordedFormat) =>
        resolveDisk(source, { readOnly, shareRw, force, format, cwd, signal, recordedFormat }),
    };
  }

  /** Runs `work` on the sandbox's VM, with everything settled that was left open before. */
  async #with<T>(
    name: string,
    options: CallOptions,
    work: (context: OperationContext) => Promise<T>,
  ): Promise<T> {
    const sandbox = this.sandbox(name);
    try {
      return await this.#connections.use(sandbox, limits(options), async (hypervisor) => {
        this.#keepFacts(sandbox, hypervisor.facts);
        const context = this.#context(sandbox, hypervisor);
        await settleSandbox(context);
        return work(context);
      });
    } catch (error) {
      const ended =
        hasCode(error, 'vm-gone') && (error.facts['ended'] === true || lifeOf(sandbox) === 'ended');
      if (ended) releaseAll({ store: this.#store, sandbox });
      if (hasCode(error, 'monitor-busy')) throw this.#withHolder(error, name);
      throw error;
    }
  }

  /** An earlier vmplug asked a VMM less than this one does: what was found out since is kept. */
  #keepFacts(sandbox: SandboxRecord, facts: VmmFacts): void {
    if (isDeepStrictEqual(sandbox.facts, facts)) return;
    this.#store.writeSoon((tx) => {
      const record = tx.sandbox(sandbox.name);
      if (record !== undefined) tx.putSandbox({ ...record, facts });
    });
  }

  /** Names the operation of ours that keeps the VMM's only connection, if that is what does. */
  #withHolder(error: VmplugError, sandbox: string): VmplugError {
    const holder = this.#store.read((tx) =>
      tx.operations({ sandbox }).find(({ state, owner }) => state === 'running' && isAlive(owner)),
    );
    if (holder === undefined) return error;
    return new VmplugError('monitor-busy', {
      action: error.action,
      subject: error.subject,
      reason: `${error.reason}; vmplug's process ${holder.owner.pid} is using it (${holder.action} of ${holder.device})`,
      hint: 'wait for it, or give a longer --timeout',
      cause: error,
      facts: { ...error.facts, pid: holder.owner.pid, operation: holder.id },
    });
  }

  #context(sandbox: SandboxRecord, hypervisor: OperationContext['hypervisor']): OperationContext {
    return {
      store: this.#store,
      sandbox,
      hypervisor,
      owner: ownIdentity(),
      ...(this.#onProgress === undefined ? {} : { onProgress: this.#onProgress }),
    };
  }
}

function limits(options: CallOptions): ExchangeOptions {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  return options.signal === undefined ? { timeoutMs } : { timeoutMs, signal: options.signal };
}
