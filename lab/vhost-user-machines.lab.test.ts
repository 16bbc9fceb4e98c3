import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backEndDies } from './back-ends/lost.testing.ts';
import {
  addressOf,
  inGuest,
  qemuVersion,
  serveEveryKind,
  writtenThrough,
  type Device,
} from './back-ends/served.testing.ts';
import { changesNothing } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

const patience = ['--timeout', '60s'];

describe.for(['pc', 'q35@10', 'pc@10'] as const)('%s', (guest) => {
  let lab: Lab;
  beforeAll(async () => {
    await ensurePackages(qemuPackages);
    lab = new Lab();
    await lab.adopt('vm1', guest, [], { sharedMemory: true, stderr: 'ignore' });
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('every kind at once is plugged, used and unplugged, and QEMU lives on', async (context) => {
    const [machine, qemu] = [guest.replace('@10', ''), await qemuVersion(lab, 'vm1')];
    await using served = await serveEveryKind(lab);
    await changesNothing(lab, ['vm1'], async () => {
      const devices = await Promise.all(
        served.kinds.map(({ attach }) => lab.ok<Device>('attach', 'vm1', ...attach, ...patience)),
      );
      for (const [index, device] of devices.entries()) await served.kinds[index]?.use('vm1', device);
      const gone = await Promise.all(
        devices.map(({ id }) => lab.ok<Device>('detach', 'vm1', id, ...patience)),
      );
      expect(gone.map(({ state }) => state)).toEqual(devices.map(() => 'released'));
      await inGuest(lab, 'vm1', 'true');
      expect(await lab.disks('vm1')).toEqual([]);

      for (const { kind, evidence } of devices) {
        const fact = { kind, machine, qemu, evidence, address: addressOf[kind] ?? '' };
        seen(context, { ...fact, way: 'hot-plug' }, { ...fact, way: 'unplug' });
      }
    });
  });

  test('the back end of each kind dies while it is attached: that is said, and each leaves', async () => {
    await using served = await serveEveryKind(lab);
    await changesNothing(lab, ['vm1'], async () => {
      for (const each of served.kinds) {
        const isController = each.attach[0].startsWith('vhost-user-scsi:');
        await backEndDies(lab, 'vm1', isController ? writtenThrough(lab, each) : each);
      }
    });
  });
});
