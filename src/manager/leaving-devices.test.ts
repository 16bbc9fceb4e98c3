import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TestHost } from '../devices/managed/device.testing.ts';
import type { AnyDevice } from '../devices/managed/counted-device.ts';
import { unitsOf } from '../api/plan.ts';
import { Bench, errorOf, TestStore } from '../operations/bench.testing.ts';
import { settleSandbox } from '../operations/settle.ts';
import { EveryKind } from '../sandbox/every-kind.testing.ts';
import { SandboxReceiver } from '../sandbox/sandbox-receiver.ts';
import { StoreDeviceJournal } from './devices/device-journal.ts';
import { SandboxDeviceManager } from './devices/device-manager.ts';

let stores: TestStore;
let kinds: EveryKind;
let bench: Bench;
beforeEach(async () => {
  stores = new TestStore();
  kinds = await EveryKind.open(false);
  bench = new Bench(stores.store);
});
afterEach(async () => {
  stores[Symbol.dispose]();
  await kinds[Symbol.asyncDispose]();
});

/** A manager with one device, and the VM as its receiver. */
function managing(device: AnyDevice): {
  id: string;
  manager: SandboxDeviceManager;
  receiver: SandboxReceiver;
} {
  const journal = new StoreDeviceJournal(stores.store, 'vm1');
  const manager = new SandboxDeviceManager({ host: new TestHost(), devices: [device], journal });
  const receiver = new SandboxReceiver({
    store: stores.store,
    sandbox: bench.sandbox,
    trees: kinds.trees,
    timeoutMs: 20,
    use: async (work) => {
      await settleSandbox(bench.context);
      return work(bench.context);
    },
  });
  return { id: device.deviceID(), manager, receiver };
}

const turn = (onUnplug: 'lets-go' | 'refuses' | 'ignores'): void => {
  bench.machine.guest = { ...bench.machine.guest, onUnplug };
};

describe('W44: of a group that was to be attached, the VM has a part', () => {
  test('the next attach takes that part out and plugs in the whole', async () => {
    const { id, manager, receiver } = managing(kinds.group());
    bench.machine.fail({ on: 'device_add', do: 'lose', executed: false, after: 1 });
    expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({ code: 'outcome-unknown' });
    await manager.attachDevice(id, receiver);
    const [attachment] = bench.attachments();
    expect(attachment).toMatchObject({ state: 'attached', generation: 2 });
    expect(attachment && unitsOf(attachment).map(({ vmmId }) => vmmId)).toEqual(
      bench.machine.devices.map((device) => device.id),
    );
    expect(manager.getDeviceByID(id)?.getAttachCount()).toBe(1n);
    bench.expectSettled();
  });

  test('while the guest keeps that part it does not count as attached, and is detached once the guest lets go', async () => {
    turn('ignores');
    const { id, manager, receiver } = managing(kinds.group());
    bench.machine.fail({ on: 'device_add', do: 'lose', executed: false, after: 1 });
    await errorOf(manager.attachDevice(id, receiver));
    expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({ code: 'deadline-passed' });
    expect(manager.isUnsettled(id)).toBe(true);
    turn('lets-go');
    for (const device of bench.machine.devices) bench.machine.letGo(device.id);
    expect(await errorOf(manager.detachDevice(id, receiver))).toMatchObject({ code: 'device-not-attached' });
    bench.expectNothingLeft('none');
  });
});

describe('W43: a disk whose guest was asked to let go and has not yet', () => {
  test('an attach does not count on it: it waits until the guest has let go, and plugs it in anew', async () => {
    const { id, manager, receiver } = managing(kinds.disk('virtio-blk'));
    await manager.attachDevice(id, receiver);
    turn('ignores');
    expect(await errorOf(manager.detachDevice(id, receiver))).toMatchObject({ code: 'deadline-passed' });
    expect(manager.isDeviceAttached(id)).toBe(true);
    expect(await errorOf(manager.attachDevice(id, receiver))).toMatchObject({ code: 'deadline-passed' });
    expect(manager.getDeviceByID(id)?.getAttachCount()).toBe(1n);
    for (const device of bench.machine.devices) bench.machine.letGo(device.id);
    await manager.attachDevice(id, receiver);
    expect(manager.getDeviceByID(id)?.getAttachCount()).toBe(1n);
    expect(bench.machine.devices).toHaveLength(1);
    bench.expectSettled();
  });

  test('the guest refuses after all: it stays, and an attach counts one more', async () => {
    const { id, manager, receiver } = managing(kinds.disk('virtio-blk'));
    await manager.attachDevice(id, receiver);
    turn('ignores');
    await errorOf(manager.detachDevice(id, receiver));
    turn('refuses');
    await manager.attachDevice(id, receiver);
    expect(manager.getDeviceByID(id)?.getAttachCount()).toBe(2n);
    expect(bench.attachments()).toMatchObject([{ state: 'attached', generation: 1 }]);
    bench.expectSettled();
  });
});
