import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentRecord } from '../src/api/attachment.ts';
import { processIdentity, waitForEnd } from '../src/host/process-identity.ts';
import { SqliteStore, type Vmplug } from '../src/index.ts';
import { failsAs, LifeLab, patient, type LivingVm } from './vm-life.testing.ts';

/** Guests that never run: what is looked at here is which VM is spoken to. */
const still = ['-S'];
const soon = { waits: false };

let lab: LifeLab;
let first: LivingVm;
let device: AttachmentRecord;

beforeEach(async () => {
  lab = new LifeLab();
  first = await lab.adopt('vm1', 'q35', still, soon);
  device = await attach('vm1', 'a.img');
});
afterEach(() => lab[Symbol.asyncDispose]());

const attach = async (sandbox: string, name: string): Promise<AttachmentRecord> =>
  await lab.use((vmplug) =>
    vmplug.attach(sandbox, lab.lab.image(name), { ...patient, wait: 'acknowledged' }),
  );

/** A second QEMU that listens where the first one did, which unbinds that one's socket. */
const takeOver = async (): Promise<LivingVm> =>
  await lab.start('second', 'q35', still, { ...soon, qmp: first.qmp });

async function kill(vm: LivingVm): Promise<void> {
  const identity = processIdentity(vm.qemu.pid);
  process.kill(vm.qemu.pid, 'SIGKILL');
  if (identity !== undefined) expect(await waitForEnd(identity, 10_000)).toBe(true);
}

const recorded = async (): Promise<string[]> =>
  await lab.use(async (vmplug) => vmplug.list('vm1').map(({ id }) => id));

describe('another VM behind the same socket path', () => {
  test('while the first one still runs: it is not taken for it, nothing is freed and it is not touched', async () => {
    const second = await takeOver();
    const image = lab.lab.image('b.img');
    const works: ((vmplug: Vmplug) => Promise<unknown>)[] = [
      (vmplug) => vmplug.attach('vm1', image, patient),
      (vmplug) => vmplug.detach('vm1', device.id, patient),
    ];
    for (const work of works) {
      const error = await failsAs('vm-replaced', lab.use(work));
      expect(error).toMatchObject({
        facts: { pid: first.qemu.pid },
        hint: expect.stringContaining('forget'),
      });
    }
    expect(await lab.doctor(true)).toMatchObject([
      { problem: 'vm-replaced', sandbox: 'vm1', repaired: false, truths: { vmm: 'another one' } },
    ]);
    expect(await recorded()).toEqual([device.id]);
    expect((await first.ours()).length).toBeGreaterThan(0);
    expect(await second.ours()).toEqual([]);

    await kill(first);
    expect(await lab.doctor(true)).toMatchObject([{ problem: 'vm-ended', repaired: true }]);
    expect(await recorded()).toEqual([]);
    await lab.use(async (vmplug) => {
      await vmplug.forget('vm1');
      await vmplug.adopt('vm2', second.qmp, patient);
    });
    expect(await attach('vm2', 'a.img')).toMatchObject({ state: 'attached' });
    expect(await lab.doctor()).toEqual([]);
  });

  test('after the first one was killed: what that had is freed, and the other one is not touched', async () => {
    await kill(first);
    const second = await takeOver();
    await failsAs(
      'vm-gone',
      lab.use((vmplug) => vmplug.attach('vm1', lab.lab.image('b.img'), patient)),
    );
    expect(await recorded()).toEqual([]);
    expect(await second.ours()).toEqual([]);
    expect(await lab.use(async (vmplug) => vmplug.sandboxes())).toHaveLength(1);
  });

  test('it has devices under the very names of ours: they are not taken for ours', async () => {
    const second = await takeOver();
    const name = device.plan.vmmId;
    await second.tell('blockdev-add', { driver: 'null-co', 'node-name': name, size: 1 << 20 });
    await second.tell('device_add', {
      driver: 'virtio-blk-pci',
      id: name,
      drive: name,
      bus: 'rp0',
      addr: '0',
    });
    await failsAs(
      'vm-replaced',
      lab.use((vmplug) => vmplug.detach('vm1', device.id, patient)),
    );
    expect(await second.ours()).toEqual([name, name]);
    expect(await lab.doctor(true)).toMatchObject([{ problem: 'vm-replaced' }]);
    expect(await second.ours()).toEqual([name, name]);
  });
});

test('in the middle of a detach that waits for a deaf guest: the other VM is not taken for its own, nothing is freed', async () => {
  const deaf = await lab.adopt('deaf', 'q35', still, { ...soon, append: 'acpiphp.disable=1' });
  const { id } = await attach('deaf', 'b.img');
  await deaf.tell('cont');
  const asked = Promise.withResolvers<void>();
  const detached = lab.use((vmplug) => vmplug.detach('deaf', id, patient), {
    onProgress: () => asked.resolve(),
  });
  detached.catch(() => undefined);
  await asked.promise;
  const second = await lab.start('second', 'q35', still, { ...soon, qmp: deaf.qmp });
  await failsAs('vm-replaced', detached);
  expect(await lab.use(async (vmplug) => vmplug.list('deaf'))).toMatchObject([{ id, state: 'detaching' }]);
  expect((await deaf.ours()).length).toBeGreaterThan(0);
  expect(await second.ours()).toEqual([]);
});

describe('a host that was started anew', () => {
  test('its VMs have ended: everything recorded is freed, leases of the former boot too, and what runs now is left alone', async () => {
    const before = await first.ours();
    {
      using store = SqliteStore.open(lab.lab.stateDir);
      const [sandbox] = store.read((tx) => tx.sandboxes());
      if (sandbox?.process === undefined) throw new Error('its process was not found');
      const { process: owner } = sandbox;
      const former = { ...owner, startTime: owner.startTime.replace(/@.*/, '@former-boot') };
      store.write((tx) => {
        tx.putSandbox({ ...sandbox, boot: 'former-boot', process: former });
        tx.putLease({
          group: '4711',
          functions: [{ address: '0000:3b:00.0', driver: 'nvme', override: null }],
          device: 'ffffffffffffffff',
          sandbox: 'vm1',
          boot: 'former-boot',
        });
      });
    }
    expect(await lab.doctor()).toMatchObject([{ problem: 'vm-ended' }, { problem: 'lease-vanished' }]);
    expect(await recorded()).toEqual([device.id]);
    expect(await lab.doctor(true)).toMatchObject([
      { problem: 'vm-ended', repaired: true },
      { problem: 'lease-vanished', repaired: true },
    ]);
    expect(await recorded()).toEqual([]);
    {
      using store = SqliteStore.open(lab.lab.stateDir);
      const left = store.read((tx) => ({
        leases: tx.leases(),
        claims: tx.holders(device.host.identities[0].key),
      }));
      expect(left).toEqual({ leases: [], claims: [] });
    }
    expect(await first.ours()).toEqual(before);
    expect(await lab.use((vmplug) => vmplug.forget('vm1'))).toEqual([]);
    expect(await lab.doctor()).toEqual([]);
  });

  test('a VM whose process was never found is known by the boot', async () => {
    {
      using store = SqliteStore.open(lab.lab.stateDir);
      const [sandbox] = store.read((tx) => tx.sandboxes());
      if (sandbox === undefined) throw new Error('there is no sandbox');
      const { process: _, ...rest } = sandbox;
      store.write((tx) => tx.putSandbox({ ...rest, boot: 'former-boot' }));
    }
    expect(await lab.use((vmplug) => vmplug.detach('vm1', device.id, patient))).toMatchObject({
      state: 'gone',
    });
    expect(await recorded()).toEqual([]);
  });
});
