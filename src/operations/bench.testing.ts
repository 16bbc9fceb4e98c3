import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import { VmplugError } from '../api/errors.ts';
import type { ClaimMode, HostDevice, HostDisk } from '../api/host-device.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { ProcessIdentity } from '../api/operation.ts';
import { ownPrefix } from '../api/names.ts';
import { placeKey } from '../api/place.ts';
import { unitsOf } from '../api/plan.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { driverFor } from '../devices/kinds.ts';
import type { HostSysfs } from '../host/vfio/host-sysfs.ts';
import { ownIdentity } from '../host/process-identity.ts';
import {
  SimulatedHypervisor,
  SimulatedMachine,
  type SimulatedMachineOptions,
} from '../hypervisors/simulated/index.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import type { AttachRequest } from './attach-request.ts';
import { attach } from './attach.ts';
import type { OperationContext } from './context.ts';
import { detach } from './detach.ts';
import type { Detached } from './detached.ts';
import { settleSandbox } from './settle.ts';

const nowhere = '/nonexistent-for-tests';

/** A host without PCI functions whose drivers could be changed. */
const noFunctions: HostSysfs = {
  io: {
    read: (path) => Promise.reject(new Error(`nobody may read ${path}`)),
    write: (path) => Promise.reject(new Error(`nobody may write ${path}`)),
  },
  hooks: {
    SysDevPrefix: `${nowhere}/dev`,
    SysIOMMUPath: `${nowhere}/groups`,
    SysBusPciDevicesPath: `${nowhere}/devices`,
  },
  paths: { sys: nowhere, proc: nowhere, dev: nowhere },
  loadModule: (name) => Promise.reject(new Error(`nobody may load ${name}`)),
};

/** The identity of a process that cannot run any more. */
export const deadProcess: ProcessIdentity = { pid: 2 ** 22 + 1, startTime: 'never' };

/** A raw image without a file behind it. */
export function testDisk(name: string, mode: ClaimMode = 'exclusive'): HostDisk {
  return {
    kind: 'block',
    source: `/images/${name}`,
    layers: [{ path: `/images/${name}`, format: 'raw', protocol: 'file' }],
    virtualSize: 1 << 20,
    identities: [{ key: `file:1:${name}`, mode }],
    readOnly: mode === 'shared-read',
    shareRw: mode === 'shared-write',
    major: 0,
    minor: 0,
  };
}

/** A store in a directory of its own, which goes away with it. */
export class TestStore implements Disposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'vmplug-store-'));
  readonly store: Store = SqliteStore.open(this.directory);

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** One sandbox on a simulated machine, with what is needed to run operations on it. */
export class Bench {
  readonly store: Store;
  readonly machine: SimulatedMachine;
  readonly hypervisor: SimulatedHypervisor;
  readonly sandbox: SandboxRecord;
  /** The drivers of this host's functions; without one there are none, as where vfio-pci has all. */
  readonly sysfs: HostSysfs;
  /** Set to hear the stages of operations. */
  onProgress: (text: string) => void = () => undefined;

  constructor(
    store: Store,
    options: SimulatedMachineOptions & {
      readonly process?: ProcessIdentity;
      readonly sysfs?: HostSysfs;
    } = {},
  ) {
    this.store = store;
    this.sysfs = options.sysfs ?? noFunctions;
    this.machine = new SimulatedMachine({ name: 'vm1', ...options });
    this.hypervisor = new SimulatedHypervisor(this.machine);
    this.sandbox = {
      name: this.machine.name,
      hypervisor: 'mock',
      socket: `/run/${this.machine.name}.sock`,
      origin: 'run',
      ...(options.process === undefined ? {} : { process: options.process }),
      facts: this.machine.facts,
      createdAt: 1,
    };
    store.write((tx) => tx.putSandbox(this.sandbox));
  }

  get context(): OperationContext {
    return {
      store: this.store,
      sandbox: this.sandbox,
      hypervisor: this.hypervisor,
      owner: ownIdentity(),
      sysfs: this.sysfs,
      onProgress: (text) => this.onProgress(text),
    };
  }

  attach(
    source: HostDevice | string,
    options: Partial<AttachRequest> = {},
    context: Partial<OperationContext> = {},
  ): Promise<AttachmentRecord> {
    const resolved = typeof source === 'string' ? testDisk(source) : source;
    return attach(
      { ...this.context, ...context },
      {
        resolve: async () => resolved,
        driver: driverFor(resolved, undefined, this.machine.facts),
        options: {},
        wait: 'live',
        timeoutMs: 5_000,
        ...options,
      },
    );
  }

  detach(
    device: string,
    options: Partial<ExchangeOptions> = {},
    context: Partial<OperationContext> = {},
  ): Promise<Detached> {
    return detach({ ...this.context, ...context }, { device, timeoutMs: 5_000, ...options });
  }

  settle(): ReturnType<typeof settleSandbox> {
    return settleSandbox(this.context);
  }

  attachments(): AttachmentRecord[] {
    return this.store.read((tx) => tx.attachments(this.sandbox.name));
  }

  /** What holds at any time, whatever went wrong. */
  expectSound(): void {
    this.store.read((tx) => {
      const records = tx.attachments(this.sandbox.name);
      const places = records.flatMap((record) => unitsOf(record).map(({ place }) => placeKey(place)));
      expect([...tx.takenPlaces(this.sandbox.name)].sort(), 'places given out').toEqual(places.sort());
      for (const { id, host } of records) {
        for (const { key } of host.identities) {
          expect(
            tx.holders(key).map(({ device }) => device),
            `holders of ${key}`,
          ).toContain(id);
        }
      }
      const known = new Set(records.flatMap((record) => unitsOf(record).map(({ vmmId }) => vmmId)));
      const ours = this.machine.devices.map(({ id }) => id).filter((id) => id.startsWith(ownPrefix));
      for (const id of ours) expect([...known], `a record of ${id}`).toContain(id);
      if (this.machine.isEnded) return;
      for (const record of records.filter(({ state }) => state === 'attached')) {
        for (const { vmmId } of unitsOf(record))
          expect(ours, 'what is recorded as attached').toContain(vmmId);
      }
    });
    expect(this.hypervisor.listeners, 'listeners that are left').toBe(0);
  }

  /** What holds when nothing is under way and everything was settled. */
  expectSettled(): void {
    this.expectSound();
    this.expectNoStrayNodes();
    const running = this.store.read((tx) => tx.operations({ sandbox: this.sandbox.name }));
    expect(
      running.filter(({ state }) => state === 'running'),
      'running operations',
    ).toEqual([]);
  }

  /** Every back end belongs to a record, and every record has those of its kind. */
  expectNoStrayNodes(): void {
    const records = this.attachments();
    const served = records.filter(({ kind }) => kind.startsWith('vhost-user-'));
    const { chardevs, netdevs } = this.machine.backEnds;
    expect([...chardevs.names].sort(), 'character devices').toEqual(
      served.map(({ plan }) => plan.vmmId).sort(),
    );
    const cards = records.filter(({ kind }) => kind === 'vhost-user-net');
    expect([...netdevs.names].sort(), 'network back ends').toEqual(
      cards.map(({ plan }) => `${plan.vmmId}-n`).sort(),
    );
    const disks = records.filter(({ kind }) => kind === 'block');
    const vmmIds = disks.map(({ plan }) => plan.vmmId);
    const tops = this.machine.nodes.names.filter((name) => !name.endsWith('-f'));
    expect(tops.sort(), 'block nodes').toEqual(vmmIds.sort());
  }

  /** Nothing of a device is left anywhere. */
  expectNothingLeft(disk: string): void {
    this.expectSettled();
    expect(this.attachments()).toEqual([]);
    expect(this.machine.devices).toEqual([]);
    expect(this.machine.nodes.names).toEqual([]);
    expect(this.store.read((tx) => tx.holders(`file:1:${disk}`))).toEqual([]);
  }
}

/** The error that a promise is rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<VmplugError> {
  const error: unknown = await promise.then(
    () => expect.fail('it was expected to fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof VmplugError)) throw error;
  return error;
}
