import { expect, test } from 'vitest';
import { everyBus } from '../hypervisors/simulated/index.ts';
import { Bench, TestStore } from '../operations/bench.testing.ts';
import { EveryKind } from './every-kind.testing.ts';
import { SandboxReceiver } from './sandbox-receiver.ts';

test('W95: a group that v1 saved, without a path, is found by its members and plugged whole', async () => {
  using stores = new TestStore();
  await using kinds = await EveryKind.open(false);
  const bench = new Bench(stores.store, { buses: everyBus() });
  const receiver = new SandboxReceiver({
    store: stores.store,
    sandbox: bench.sandbox,
    use: (work) => work(bench.context),
    trees: kinds.trees,
  });
  const device = kinds.group();
  await device.attach(receiver);
  const { VFIODevs = [], ...saved } = device.save();
  await device.detach(receiver);
  // v1 never keeps the path.
  device.load({ ...saved, AttachCount: 0, VFIODevs });
  expect(device.getHostPath()).toBe('');
  await device.attach(receiver);
  expect(bench.machine.devices).toHaveLength(2);
  expect(device.getDeviceInfo()).toMatchObject({
    devices: [{ Bus: expect.stringMatching(/./) }, { Bus: expect.stringMatching(/./) }],
  });
});
