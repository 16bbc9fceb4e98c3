import { expect } from 'vitest';
import type { ErrorCode } from '../../api/error-codes.ts';
import { VmplugError } from '../../api/errors.ts';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import type { AnyDevice } from '../../devices/managed/counted-device.ts';
import {
  AskableReceiver,
  infoOf,
  memberOf,
  outcomeOf,
  TestHost,
} from '../../devices/managed/device.testing.ts';
import { isWrite, requests, saved, type DeviceHappening, type Fault } from './device-happenings.testing.ts';
import { SandboxDeviceManager } from './device-manager.ts';
import { MemoryJournal } from './memory-journal.testing.ts';

/** What a simple model expects of one device. */
interface Expected {
  readonly id: string;
  references: number;
  attachments: number;
  unsettled?: 'attach' | 'detach' | undefined;
}

/** A manager with its devices, its receiver and its journal, and what the model expects of them. */
export class DeviceWorld {
  readonly #host = new TestHost();
  readonly #receiver = new AskableReceiver();
  readonly #journal = new MemoryJournal();
  readonly #expected = new Map<number, Expected>();
  /** Indexes of disks that the VM was started with, and that nobody refers to any more. */
  readonly #forgotten = new Set<number>();
  #manager: SandboxDeviceManager;

  constructor() {
    this.#host.groups.set('/dev/vfio/2', ['0000:3b:00.0', '0000:3b:00.1'].map(memberOf));
    this.#host.groups.set('/dev/vfio/3', [memberOf('0001:3c:00.0')]);
    this.#manager = this.#make();
  }

  async happen(happening: DeviceHappening): Promise<void> {
    switch (happening.what) {
      case 'reopen':
        this.#manager = this.#make();
        this.#manager.loadRecords([...this.#journal.records.values()]);
        break;
      case 'reload':
        this.#reload();
        break;
      case 'at once':
        await this.#atOnce(happening.calls);
        break;
      case 'late':
        this.#leaveLate(happening.device);
        break;
      case 'new':
      case 'attach':
      case 'detach':
      case 'remove':
        await this.#call(happening.what, happening.device, happening.fault);
    }
    this.check();
  }

  /** Everything is let go, and nothing is left but what the VM was started with. */
  async end(): Promise<void> {
    for (const [index, expected] of this.#expected) {
      if (expected.unsettled !== undefined) await this.#call('attach', index);
      while (expected.attachments > 0) await this.#call('detach', index);
      while (this.#expected.has(index)) await this.#call('remove', index);
      this.check();
    }
    expect(this.#manager.getAllDevices()).toEqual([]);
    expect([...this.#receiver.plugged]).toEqual([]);
    expect(this.#receiver.indexes).toEqual(this.#forgotten);
    expect(this.#journal.records.size).toBe(0);
  }

  check(): void {
    const all = this.#manager.getAllDevices();
    expect(all.map((each) => each.deviceID())).toEqual(
      [...this.#expected.values()].map(({ id }) => id).sort(),
    );
    for (const { id, references, attachments, unsettled } of this.#expected.values()) {
      const found = this.#manager.getDeviceByID(id) ?? expect.fail('a device was forgotten');
      expect([found.getRefCount(), found.getAttachCount()]).toEqual([
        BigInt(references),
        BigInt(attachments),
      ]);
      expect(this.#manager.isUnsettled(id)).toBe(unsettled !== undefined);
      if (unsettled === undefined && isHotPlugged(found)) {
        expect(this.#receiver.plugged.has(id), 'the receiver has what is attached').toBe(attachments > 0);
      }
      expect(this.#journal.records.get(id), 'what is kept is what is').toEqual({
        ...found.record(),
        ...(unsettled === undefined ? {} : { pending: unsettled }),
      });
    }
    expect(this.#journal.records.size).toBe(all.length);
    for (const id of this.#receiver.plugged) expect(all.map((each) => each.deviceID())).toContain(id);
    this.#checkIndexes(all);
  }

  #checkIndexes(all: readonly AnyDevice[]): void {
    const holding = all.filter((each) => each.mayBeInVM() || this.#manager.isUnsettled(each.deviceID()));
    const held = holding.flatMap((each) => each.blockIndex() ?? []);
    expect(new Set(held).size, 'no index is had twice').toBe(held.length);
    expect(this.#manager.blockIndexes()).toEqual(new Set(held));
    expect(new Set([...held, ...this.#forgotten])).toEqual(this.#receiver.indexes);
    expect(held.length + this.#forgotten.size).toBe(this.#receiver.indexes.size);
  }

  async #call(what: 'new' | 'attach' | 'detach' | 'remove', index: number, wrong?: Fault): Promise<void> {
    const expected = this.#expected.get(index);
    // A write that fails while an older step is being settled has outcomes of its own.
    const injected = expected?.unsettled !== undefined && isWrite(wrong) ? undefined : wrong;
    const before = this.#recordOf(expected);
    this.#inject(injected);
    const done = await outcomeOf(this.#do(what, index));
    const hit = this.#hit(injected);
    this.#clear();
    if (hit === undefined) {
      expect(done).toBe(this.#model(what, index));
      return;
    }
    if ('how' in hit) this.#settled(expected, what);
    const isLost = 'how' in hit ? hit.how !== 'refused' : hit.at === 'second write';
    expect(done).toBe('how' in hit ? hit.code : 'state-unavailable');
    if (isLost && expected !== undefined && (what === 'attach' || what === 'detach'))
      expected.unsettled = what;
    else if (before?.unsettled === undefined) {
      expect(this.#recordOf(expected), 'what failed has changed nothing').toEqual(before);
    }
  }

  #recordOf(expected: Expected | undefined): (ManagedDeviceRecord & { unsettled?: string }) | undefined {
    if (expected === undefined) return undefined;
    const record = this.#manager.getDeviceByID(expected.id)?.record() ?? expect.fail('no such device');
    return { ...record, ...(expected.unsettled === undefined ? {} : { unsettled: expected.unsettled }) };
  }

  /** What the model expects to come of a call in which nothing goes wrong. */
  #model(what: 'new' | 'attach' | 'detach' | 'remove', index: number): ErrorCode | 'done' {
    const expected = this.#expected.get(index);
    if (what === 'new') {
      if (expected === undefined) this.#learn(index);
      else expected.references += 1;
      return 'done';
    }
    if (expected === undefined) return 'device-not-found';
    if (what === 'remove') return this.#modelRemove(index, expected);
    const pending = expected.unsettled;
    const had = this.#settled(expected, what);
    if (what === 'attach') {
      if (pending === 'attach' && had) return 'done';
      expected.attachments += 1;
      return 'done';
    }
    if (pending === 'detach' && !had) return 'done';
    if (expected.attachments === 0) return 'device-not-attached';
    expected.attachments -= 1;
    return 'done';
  }

  #modelRemove(index: number, expected: Expected): ErrorCode | 'done' {
    if (expected.references > 1) {
      expected.references -= 1;
      return 'done';
    }
    if (expected.attachments > 0) return 'remove-attached-device';
    if (expected.unsettled !== undefined) return 'outcome-unknown';
    this.#expected.delete(index);
    return 'done';
  }

  /** Whether the receiver was found to have an unsettled device when its next call began. */
  #settled(expected: Expected | undefined, what: string): boolean {
    if (expected?.unsettled === undefined || what === 'new' || what === 'remove') return false;
    const has = this.#hadBefore.has(expected.id);
    expected.attachments = has ? 1 : 0;
    expected.unsettled = undefined;
    return has;
  }

  readonly #hadBefore = new Set<string>();

  #do(what: 'new' | 'attach' | 'detach' | 'remove', index: number): Promise<unknown> {
    const expected = this.#expected.get(index);
    const id = expected?.id ?? 'unknown';
    this.#hadBefore.clear();
    for (const each of [...this.#receiver.plugged, ...this.#receiver.booted]) this.#hadBefore.add(each);
    switch (what) {
      case 'new':
        return this.#new(index);
      case 'attach':
        return this.#manager.attachDevice(id, this.#receiver);
      case 'detach':
        return this.#manager.detachDevice(id, this.#receiver);
      case 'remove':
        return this.#remove(id);
    }
  }

  async #new(index: number): Promise<void> {
    const type = saved[index - requests.length];
    const SocketPath = `/run/${type}.sock`;
    const request = requests[index] ?? infoOf({ ContainerPath: SocketPath });
    if (type === undefined || this.#expected.has(index)) {
      await this.#manager.newDevice(request);
      return;
    }
    const { Major, Minor, DevType, ColdPlug } = request;
    const state = { ID: this.#host.randomID(), Type: type, RefCount: 1, AttachCount: 0, DriverOptions: null };
    const unplugged = { DevID: '', Type: type, MacAddress: '', PCIPath: {}, Index: 0 };
    this.#manager.loadDevices([
      { ...state, Major, Minor, DevType, ColdPlug, VhostUserDev: { ...unplugged, SocketPath } },
    ]);
  }

  async #remove(id: string): Promise<void> {
    const leaving = this.#manager.getDeviceByID(id);
    await this.#manager.removeDevice(id);
    const index = leaving?.mayBeInVM() === true ? leaving.blockIndex() : undefined;
    if (this.#manager.getDeviceByID(id) === undefined && index !== undefined) this.#forgotten.add(index);
  }

  async #atOnce(calls: readonly { what: 'attach' | 'detach'; device: number }[]): Promise<void> {
    const settled = calls.filter((each) => this.#expected.get(each.device)?.unsettled === undefined);
    const done = await Promise.all(settled.map((each) => outcomeOf(this.#do(each.what, each.device))));
    expect(done).toEqual(settled.map((each) => this.#model(each.what, each.device)));
  }

  #leaveLate(index: number): void {
    const expected = this.#expected.get(index);
    if (expected?.unsettled === 'detach') this.#receiver.plugged.delete(expected.id);
  }

  #reload(): void {
    const all = this.#manager.getAllDevices();
    const isBare = (each: AnyDevice): boolean =>
      each.isAttached() && !this.#manager.isUnsettled(each.deviceID());
    const kept = all
      .filter((each) => !isBare(each))
      .map((each) => this.#journal.records.get(each.deviceID()));
    this.#manager = this.#make();
    this.#manager.loadRecords(kept.flatMap((record) => record ?? []));
    this.#manager.loadDevices(all.filter(isBare).map((each) => each.save()));
  }

  #make(): SandboxDeviceManager {
    return new SandboxDeviceManager({
      host: this.#host,
      journal: this.#journal,
      blockDriver: 'virtio-blk',
      vhostUserStore: { enabled: true, path: '/store' },
    });
  }

  #learn(index: number): void {
    const known = new Set([...this.#expected.values()].map(({ id }) => id));
    const made = this.#manager.getAllDevices().find((each) => !known.has(each.deviceID()));
    this.#expected.set(index, {
      id: made?.deviceID() ?? expect.fail('nothing was made'),
      references: 1,
      attachments: 0,
    });
  }

  #inject(wrong: Fault | undefined): void {
    this.#journal.failed = false;
    if (wrong === undefined) return;
    if (!('how' in wrong)) {
      this.#journal.left = wrong.at === 'first write' ? 0 : 1;
      return;
    }
    const facts = { requested: wrong.how !== 'refused' };
    const said = { action: 'plug', subject: 'device', reason: 'no', facts };
    this.#receiver.failures.set(wrong.at, new VmplugError(wrong.code, said));
    if (wrong.how === 'lost after') this.#receiver.doesBeforeFailing = true;
  }

  /** The fault, where it was come to. */
  #hit(wrong: Fault | undefined): Fault | undefined {
    if (wrong === undefined) return undefined;
    const isHit = 'how' in wrong ? !this.#receiver.failures.has(wrong.at) : this.#journal.failed;
    return isHit ? wrong : undefined;
  }

  #clear(): void {
    this.#receiver.failures.clear();
    this.#receiver.doesBeforeFailing = false;
    this.#journal.left = Number.POSITIVE_INFINITY;
  }
}

function isHotPlugged(each: AnyDevice): boolean {
  return each.asksReceiver('attach') && each.asksReceiver('detach');
}
