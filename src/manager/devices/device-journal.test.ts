import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ManagedDeviceRecord } from '../../api/managed-device.ts';
import {
  AskableReceiver,
  codeOf,
  driveOf,
  infoOf,
  memberOf,
  membersOf,
  refusal,
  TestHost,
  TestReceiver,
} from '../../devices/managed/device.testing.ts';
import { TestStore } from '../../operations/bench.testing.ts';
import { sandboxRecord } from '../../store/records.testing.ts';
import { StoreDeviceJournal } from './device-journal.ts';
import { SandboxDeviceManager } from './device-manager.ts';
import { openDeviceManager } from './device-opening.ts';

const sda = infoOf({ ContainerPath: '/dev/sda', DevType: 'b', Major: 8, UID: 7, ReadOnly: true });

let kept: TestStore;
let host: TestHost;
let receiver: AskableReceiver;
beforeEach(() => {
  kept = new TestStore();
  kept.store.write((tx) => tx.putSandbox(sandboxRecord('vm1')));
  host = new TestHost();
  receiver = new AskableReceiver();
});
afterEach(() => kept[Symbol.dispose]());

const open = (): SandboxDeviceManager => openDeviceManager({ store: kept.store, sandbox: 'vm1', host });
const records = (): ManagedDeviceRecord[] => kept.store.read((tx) => tx.managedDevices('vm1'));

/** Leaves a step of the device for ever unanswered, as when its process is killed in it. */
function died(work: (receiver: TestReceiver) => void, call: 'add' | 'remove', does = true): Promise<void> {
  return new Promise((resolve) => {
    receiver.during.set(call, () => {
      if (does && call === 'add') for (const { state } of records()) receiver.plugged.add(state.ID);
      if (does && call === 'remove') receiver.plugged.clear();
      resolve();
      return new Promise(() => undefined);
    });
    work(receiver);
  });
}

test('a sandbox that is not known has no devices to open', () => {
  expect(() => openDeviceManager({ store: kept.store, sandbox: 'vm2', host })).toThrow(
    expect.objectContaining({ code: 'sandbox-not-found' }),
  );
});

describe('W57: what has been resolved is in the store', () => {
  test('a new device, its references, its attachments, its end', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    const expectCounts = (RefCount: number, AttachCount: number): void =>
      expect(open().getDeviceByID(id)?.save()).toMatchObject({ RefCount, AttachCount });
    expectCounts(1, 0);
    await manager.newDevice(sda);
    expectCounts(2, 0);
    await manager.attachDevice(id, receiver);
    expectCounts(2, 1);
    await manager.attachDevice(id, receiver);
    expectCounts(2, 2);
    await manager.detachDevice(id, receiver);
    expectCounts(2, 1);
    await manager.removeDevice(id);
    expectCounts(1, 1);
    await manager.detachDevice(id, receiver);
    expectCounts(1, 0);
    expect(records()[0]).not.toHaveProperty('pending');
    await manager.removeDevice(id);
    expect(records()).toEqual([]);
  });

  test('a refused attach and a refused detach are not under way any more', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    receiver.failures.set('add', refusal());
    expect(await codeOf(manager.attachDevice(id, receiver))).toBe('vmm-refused');
    expect(records()).toEqual([manager.getDeviceByID(id)?.record()]);
    await manager.attachDevice(id, receiver);
    receiver.failures.set('remove', refusal('unplug-refused'));
    expect(await codeOf(manager.detachDevice(id, receiver))).toBe('unplug-refused');
    expect(records()).toEqual([manager.getDeviceByID(id)?.record()]);
    expect(open().isUnsettled(id)).toBe(false);
  });

  test('W95: it comes back with all that was known of it', async () => {
    host.groups.set('/dev/vfio/2', [memberOf('0001:3b:00.0')]);
    const manager = open();
    const disk = await manager.newDevice(sda);
    const group = await manager.newDevice(infoOf({ ContainerPath: '/dev/vfio/2', DevType: 'c' }));
    for (const device of [disk, group]) await manager.attachDevice(device.deviceID(), receiver);
    const next = open();
    expect(next.getAllDevices().map((device) => device.record())).toEqual(
      manager.getAllDevices().map((device) => device.record()),
    );
    expect(next.blockIndexes()).toEqual(new Set([0]));
    const again = await next.newDevice(sda);
    expect(again.info).toEqual(disk.info);
    expect(driveOf(again)).toMatchObject({ ReadOnly: true, Index: 0 });
    for (const device of next.getAllDevices()) await next.detachDevice(device.deviceID(), receiver);
    for (const device of next.getAllDevices()) await next.attachDevice(device.deviceID(), receiver);
    expect(membersOf(next.getDeviceByID(group.deviceID()) ?? group)).toEqual(membersOf(group));
  });

  test('loaded states are written together', () => {
    const bare = {
      Type: 'generic',
      RefCount: 1,
      AttachCount: 0,
      DevType: 'c',
      Major: 1,
      ColdPlug: false,
      DriverOptions: null,
    };
    open().loadDevices([3, 5].map((Minor) => ({ ...bare, Minor, ID: `${Minor}` })));
    expect(
      open()
        .getAllDevices()
        .map((device) => device.deviceID()),
    ).toEqual(['3', '5']);
  });
});

test('what was kept of one sandbox is none of another', async () => {
  kept.store.write((tx) => tx.putSandbox(sandboxRecord('vm2')));
  const id = (await open().newDevice(sda)).deviceID();
  const other = openDeviceManager({ store: kept.store, sandbox: 'vm2', host });
  expect(other.getDeviceByID(id)).toBe(undefined);
});

describe('7.6 crash between attach and save, W105: a process that died in an attach', () => {
  test.each([
    ['the VM has it: the next attach is told so, and plugs nothing', true, []],
    ['the VM has it not: the next attach plugs it', false, ['index', 'add block']],
  ])('%s', async (_, does, calls) => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await died((to) => void manager.attachDevice(id, to), 'add', does);
    const next = open();
    expect(next.isUnsettled(id)).toBe(true);
    expect(next.isDeviceAttached(id)).toBe(false);
    expect(next.blockIndexes(), 'its index is nobody else’s').toEqual(new Set([0]));
    expect(await codeOf(next.removeDevice(id))).toBe('outcome-unknown');
    receiver.calls.length = 0;
    await next.attachDevice(id, receiver);
    expect(next.isUnsettled(id)).toBe(false);
    expect(next.getDeviceByID(id)?.getAttachCount()).toBe(1n);
    expect(receiver.calls.filter((call) => !call.startsWith('unset'))).toEqual(
      calls.map((call) => (call === 'index' ? call : `${call} ${id}`)),
    );
    expect(receiver.asked).toEqual([id]);
    expect([...receiver.plugged]).toEqual([id]);
    expect(receiver.indexes).toEqual(next.blockIndexes());
    expect(open().isDeviceAttached(id), 'it is recorded').toBe(true);
  });

  test('a detach lets go of what the VM has, and is refused where it has nothing', async () => {
    for (const does of [true, false]) {
      const manager = open();
      const id = (await manager.newDevice(sda)).deviceID();
      await died((to) => void manager.attachDevice(id, to), 'add', does);
      const next = open();
      const detached = next.detachDevice(id, receiver);
      if (does) await detached;
      else expect(await codeOf(detached)).toBe('device-not-attached');
      expect([...receiver.plugged, ...receiver.indexes]).toEqual([]);
      await next.removeDevice(id);
    }
  });

  test('a receiver that cannot be asked leaves it unsettled', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await died((to) => void manager.attachDevice(id, to), 'add');
    const next = open();
    expect(await codeOf(next.attachDevice(id, new TestReceiver()))).toBe('outcome-unknown');
    expect(await codeOf(next.detachDevice(id, new TestReceiver()))).toBe('outcome-unknown');
    expect(next.isUnsettled(id)).toBe(true);
    expect(records()).toMatchObject([{ pending: 'attach' }]);
  });

  test('one for the boot configuration keeps its index while the VM may have it', async () => {
    const manager = open();
    const id = (await manager.newDevice({ ...sda, ColdPlug: true })).deviceID();
    receiver.failures.set('append', refusal('outcome-unknown'));
    expect(await codeOf(manager.attachDevice(id, receiver))).toBe('outcome-unknown');
    const next = open();
    expect(await codeOf(next.detachDevice(id, receiver))).toBe('device-not-attached');
    await next.attachDevice(id, receiver);
    expect([...receiver.indexes]).toEqual([0]);
    expect(next.blockIndexes()).toEqual(receiver.indexes);
  });

  test('references are counted meanwhile, and it stays unsettled', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await died((to) => void manager.attachDevice(id, to), 'add');
    await manager.newDevice(sda);
    const next = open();
    await next.newDevice(sda);
    await next.removeDevice(id);
    expect(records()).toMatchObject([{ pending: 'attach', state: { RefCount: 2, AttachCount: 0 } }]);
  });
});

describe('W105: a process that died in a detach', () => {
  async function diedInDetach(does: boolean): Promise<[string, SandboxDeviceManager]> {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await manager.attachDevice(id, receiver);
    await died((to) => void manager.detachDevice(id, to), 'remove', does);
    const next = open();
    expect([next.isUnsettled(id), next.isDeviceAttached(id)]).toEqual([true, true]);
    return [id, next];
  }

  test('the VM let it go: the next detach is told so, and gives the index back', async () => {
    const [id, next] = await diedInDetach(true);
    await next.detachDevice(id, receiver);
    expect([...receiver.indexes]).toEqual([]);
    expect(receiver.calls.filter((call) => call.startsWith('remove'))).toHaveLength(1);
    await next.removeDevice(id);
  });

  test('the VM has it still: the next detach takes it out', async () => {
    const [id, next] = await diedInDetach(false);
    await next.detachDevice(id, receiver);
    expect([...receiver.plugged, ...receiver.indexes]).toEqual([]);
    expect(next.isDeviceAttached(id)).toBe(false);
  });

  test('an attach counts to what the VM has still, and plugs anew what it has not', async () => {
    const [id, next] = await diedInDetach(false);
    await next.attachDevice(id, receiver);
    expect(next.getDeviceByID(id)?.getAttachCount()).toBe(2n);
    await next.detachDevice(id, receiver);
    await died((to) => void next.detachDevice(id, to), 'remove', true);
    const last = open();
    await last.attachDevice(id, receiver);
    expect(last.getDeviceByID(id)?.getAttachCount()).toBe(1n);
    expect([...receiver.plugged]).toEqual([id]);
    expect([...receiver.indexes]).toEqual([0]);
  });
});

describe('an outcome that nobody knows, while the process lives on', () => {
  test.each([true, false])('an attach, and the VM has it: %s', async (does) => {
    const manager = open();
    const device = await manager.newDevice(sda);
    const id = device.deviceID();
    receiver.failures.set('add', refusal('outcome-unknown'));
    if (does) receiver.during.set('add', () => void receiver.plugged.add(id));
    expect(await codeOf(manager.attachDevice(id, receiver))).toBe('outcome-unknown');
    expect(device.getAttachCount()).toBe(0n);
    expect([...receiver.indexes], 'hard rule 2: its index is kept').toEqual([0]);
    expect(manager.blockIndexes()).toEqual(receiver.indexes);
    expect(await codeOf(manager.removeDevice(id))).toBe('outcome-unknown');
    await manager.attachDevice(id, receiver);
    expect(receiver.calls.filter((call) => call.startsWith('add'))).toHaveLength(does ? 1 : 2);
    expect(device.getAttachCount()).toBe(1n);
    expect(driveOf(device).Index).toBe(0);
    expect([...receiver.indexes]).toEqual([0]);
  });

  test('a detach counts as attached until it is known', async () => {
    const manager = open();
    const device = await manager.newDevice(sda);
    await manager.attachDevice(device.deviceID(), receiver);
    receiver.failures.set('remove', refusal('outcome-unknown'));
    receiver.during.set('remove', () => receiver.plugged.clear());
    expect(await codeOf(manager.detachDevice(device.deviceID(), receiver))).toBe('outcome-unknown');
    expect(device.getAttachCount()).toBe(1n);
    expect([...receiver.indexes]).toEqual([0]);
    await manager.detachDevice(device.deviceID(), receiver);
    expect(device.getAttachCount()).toBe(0n);
    expect([...receiver.indexes]).toEqual([]);
  });

  test('a reference that is added meanwhile is not lost, whenever that is', async () => {
    for (let turns = 0; turns < 40; turns += 1) {
      const manager = new SandboxDeviceManager({ host });
      const device = await manager.newDevice(sda);
      receiver.failures.set('add', refusal('outcome-unknown'));
      const attached = codeOf(manager.attachDevice(device.deviceID(), receiver));
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      await manager.newDevice(sda);
      expect(await attached).toBe('outcome-unknown');
      expect(device.getRefCount(), `after ${turns} turns`).toBe(2n);
    }
  });
});

describe('a store that fails changes nothing in memory', () => {
  class FailingJournal extends StoreDeviceJournal {
    /** How many writes work before one fails; from then on all do. */
    left = Number.POSITIVE_INFINITY;

    override put(...given: readonly ManagedDeviceRecord[]): void {
      this.#count();
      super.put(...given);
    }

    override putSoon(record: ManagedDeviceRecord): void {
      this.#count();
      super.putSoon(record);
    }

    override delete(id: string): void {
      this.#count();
      super.delete(id);
    }

    #count(): void {
      this.left -= 1;
      if (this.left < 0) throw refusal('state-unavailable');
    }
  }

  let journal: FailingJournal;
  let manager: SandboxDeviceManager;
  beforeEach(() => {
    journal = new FailingJournal(kept.store, 'vm1');
    manager = new SandboxDeviceManager({ host, journal });
  });

  const fails = async (work: () => Promise<unknown>, after = 0): Promise<void> => {
    journal.left = after;
    expect(await codeOf(work())).toBe('state-unavailable');
    journal.left = Number.POSITIVE_INFINITY;
  };

  test('newDevice, a reference more, a reference less, the last reference', async () => {
    await fails(() => manager.newDevice(sda));
    expect(manager.getAllDevices()).toEqual([]);
    const device = await manager.newDevice(sda);
    await fails(() => manager.newDevice(sda));
    expect(device.getRefCount()).toBe(1n);
    await manager.newDevice(sda);
    await fails(() => manager.removeDevice(device.deviceID()));
    expect(device.getRefCount()).toBe(2n);
    await manager.removeDevice(device.deviceID());
    await fails(() => manager.removeDevice(device.deviceID()));
    expect(device.getRefCount()).toBe(1n);
    expect(manager.getAllDevices()).toEqual([device]);
  });

  test('loadDevices', async () => {
    const state = (await open().newDevice(sda)).save();
    journal.left = 0;
    expect(() => manager.loadDevices([state])).toThrow(
      expect.objectContaining({ code: 'state-unavailable' }),
    );
    expect(manager.getAllDevices()).toEqual([]);
  });

  test('the intent of an attach or detach: the receiver is not asked to plug or unplug', async () => {
    const device = await manager.newDevice(sda);
    await fails(() => manager.attachDevice(device.deviceID(), receiver));
    expect(receiver.calls).toEqual(['index', 'unset 0']);
    expect(device.save()).toMatchObject({ AttachCount: 0 });
    await manager.attachDevice(device.deviceID(), receiver);
    receiver.calls.length = 0;
    await fails(() => manager.detachDevice(device.deviceID(), receiver));
    expect(receiver.calls).toEqual([]);
    expect(manager.isDeviceAttached(device.deviceID())).toBe(true);
  });

  test('attachments that are only counted', async () => {
    const device = await manager.newDevice(sda);
    await manager.attachDevice(device.deviceID(), receiver);
    await fails(() => manager.attachDevice(device.deviceID(), receiver));
    expect(device.getAttachCount()).toBe(1n);
    await manager.attachDevice(device.deviceID(), receiver);
    await fails(() => manager.detachDevice(device.deviceID(), receiver));
    expect(device.getAttachCount()).toBe(2n);
  });

  test('the end of an attach: the next attach records it, and plugs nothing', async () => {
    const device = await manager.newDevice(sda);
    const deaf = new TestReceiver();
    await fails(() => manager.attachDevice(device.deviceID(), deaf), 1);
    expect(device.getAttachCount()).toBe(0n);
    expect(open().isUnsettled(device.deviceID())).toBe(true);
    await manager.attachDevice(device.deviceID(), deaf);
    expect(deaf.calls).toEqual(['index', `add block ${device.deviceID()}`]);
    expect(device.getAttachCount()).toBe(1n);
    expect(open().isDeviceAttached(device.deviceID())).toBe(true);
  });

  test('the end of a detach: the next detach records it, and gives the index back', async () => {
    const device = await manager.newDevice(sda);
    const deaf = new TestReceiver();
    await manager.attachDevice(device.deviceID(), deaf);
    await fails(() => manager.detachDevice(device.deviceID(), deaf), 1);
    expect(device.getAttachCount()).toBe(1n);
    expect([...deaf.indexes]).toEqual([0]);
    await manager.detachDevice(device.deviceID(), deaf);
    expect(deaf.calls.filter((call) => call.startsWith('remove'))).toHaveLength(1);
    expect([...deaf.indexes]).toEqual([]);
    expect(open().isDeviceAttached(device.deviceID())).toBe(false);
  });

  test('the failure of an attach: what the receiver said is what is thrown', async () => {
    const device = await manager.newDevice(sda);
    receiver.failures.set('add', refusal());
    journal.left = 1;
    expect(await codeOf(manager.attachDevice(device.deviceID(), receiver))).toBe('vmm-refused');
    expect(open().isUnsettled(device.deviceID())).toBe(true);
    expect(manager.isUnsettled(device.deviceID())).toBe(false);
  });
});

describe('W61: a reference that is counted while a step is being ended leaves the record as the step ended', () => {
  const expectAgreement = (manager: SandboxDeviceManager): void => {
    expect(records()).toEqual(manager.getAllDevices().map((device) => device.record()));
    expect(records()[0]).not.toHaveProperty('pending');
    expect(records()[0]?.state.RefCount).toBe(2);
  };
  const shareDuringUnset = (manager: SandboxDeviceManager): void => {
    receiver.during.set('unset', async () => {
      await manager.newDevice(sda);
    });
  };

  test('a detach that gives its index back', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await manager.attachDevice(id, receiver);
    shareDuringUnset(manager);
    await manager.detachDevice(id, receiver);
    expectAgreement(manager);
  });

  test('a refused attach that gives its index back', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    receiver.failures.set('add', refusal());
    shareDuringUnset(manager);
    expect(await codeOf(manager.attachDevice(id, receiver))).toBe('vmm-refused');
    expectAgreement(manager);
  });

  test('settling that gives its index back', async () => {
    const manager = open();
    const id = (await manager.newDevice(sda)).deviceID();
    await died((to) => void manager.attachDevice(id, to), 'add', false);
    const next = open();
    shareDuringUnset(next);
    receiver.failures.set('index', refusal());
    expect(await codeOf(next.attachDevice(id, receiver))).toBe('vmm-refused');
    expectAgreement(next);
    expect(next.isUnsettled(id)).toBe(false);
  });
});
