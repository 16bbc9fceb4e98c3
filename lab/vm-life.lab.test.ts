import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AttachmentRecord } from '../src/api/attachment.ts';
import { beginReboot, LifeLab, patient, reboot, waitForReboot, type LivingVm } from './vm-life.testing.ts';

let lab: LifeLab;
let vm: LivingVm;

beforeAll(async () => {
  lab = new LifeLab();
  vm = await lab.adopt('vm1', 'q35', [], { reboots: true });
}, 120_000);
afterEach(async () => {
  await lab.doctor(true);
  await lab.use(async (vmplug) => {
    for (const { id } of vmplug.list('vm1')) await vmplug.detach('vm1', id, patient);
  });
  expect(await vm.ours()).toEqual([]);
  expect(await lab.doctor()).toEqual([]);
});
afterAll(() => lab[Symbol.asyncDispose]());

const attach = async (name: string): Promise<AttachmentRecord> =>
  await lab.use((vmplug) => vmplug.attach('vm1', lab.lab.image(name), patient));

describe('a guest that reboots', () => {
  test('what it has it has again, and can be taken out', async () => {
    const { id, serial } = await attach('kept.img');
    await reboot(vm, 'from within');
    expect(await vm.serials()).toEqual([serial]);
    expect(await lab.doctor()).toEqual([]);
    const detached = await lab.use((vmplug) => vmplug.detach('vm1', id, patient));
    expect(detached).toMatchObject({ state: 'released' });
    expect(await vm.serials()).toEqual([]);
  });

  test('right before an attach: it is attached when the guest is up and runs it', async () => {
    await beginReboot(vm, 'system_reset');
    const device = await attach('early.img');
    expect(device).toMatchObject({ state: 'attached', evidence: 'live' });
    await waitForReboot(vm);
    expect(await vm.serials()).toEqual([device.serial]);
  });

  test('while an attach waits for it: attached, by the guest that comes after', async () => {
    let rebooted: Promise<unknown> | undefined;
    await vm.run('echo former > /run/former');
    const device = await lab.use((vmplug) => vmplug.attach('vm1', lab.lab.image('amid.img'), patient), {
      onProgress: (text) => {
        if (text.startsWith('wait until')) rebooted = vm.tell('system_reset');
      },
    });
    await rebooted;
    expect(rebooted).toBeDefined();
    expect(device).toMatchObject({ state: 'attached' });
    await waitForReboot(vm);
    expect(await vm.serials()).toEqual([device.serial]);
  });

  test('while a detach waits for it: released', async () => {
    const { id } = await attach('left.img');
    let begun: Promise<void> | undefined;
    const detached = lab.use((vmplug) => vmplug.detach('vm1', id, patient), {
      onProgress: (text) => {
        if (text === 'ask the guest to let go') begun = beginReboot(vm, 'from within');
      },
    });
    expect(await detached).toMatchObject({ state: 'released' });
    expect(begun).toBeDefined();
    await begun;
    await waitForReboot(vm);
    expect(await vm.serials()).toEqual([]);
    expect(await vm.ours()).toEqual([]);
  });
});

describe('a guest that removes a disk by itself', () => {
  /** The slot number and the address of the guest's only virtio disk. */
  const find = `
    dev=$(readlink -f /sys/block/vda/device/..); addr=\${dev##*/}
    for slot in /sys/bus/pci/slots/*; do
      read -r a < $slot/address; [ "$a" = "\${addr%.*}" ] && break
    done`;

  test('pain 30: by the power of its slot, over ACPI: gone from the VM; doctor says so, and frees it when asked', async () => {
    const { id, serial } = await attach('ejected.img');
    expect(await vm.serials()).toEqual([serial]);
    await vm.run(`${find}; echo 0 > $slot/power`);
    await expect
      .poll(async () => await lab.doctor(), { timeout: 30_000 })
      .toMatchObject([
        {
          problem: 'vanished',
          device: id,
          repaired: false,
          plan: [{ by: 'repair' }],
          truths: { recorded: 'attached', vmm: 'does not have it' },
        },
      ]);
    // Looking alone changes nothing: its claim and its node are there until they are given up.
    expect((await vm.ours()).length).toBeGreaterThan(0);
    expect(await lab.doctor(true)).toMatchObject([{ problem: 'vanished', repaired: true }]);
    expect(await vm.ours()).toEqual([]);
    const again = await attach('ejected.img');
    expect(again.evidence).toBe('live');
  });

  test('from its PCI bus only: the VM still has it, and it stays attached until it is detached', async () => {
    const { id } = await attach('removed.img');
    await vm.run(`${find}; echo 1 > $dev/remove`);
    expect(await vm.serials()).toEqual([]);
    expect(await lab.doctor()).toEqual([]);
    expect((await lab.use((vmplug) => vmplug.inspect(id))).observation).toMatchObject({ present: true });
    const detached = await lab.use((vmplug) => vmplug.detach('vm1', id, patient));
    expect(detached).toMatchObject({ state: 'released' });
  });

  test('and finds it again when it looks: it is as it was', async () => {
    const { serial } = await attach('rescanned.img');
    await vm.run(`${find}; echo 1 > $dev/remove; echo 1 > /sys/bus/pci/rescan`);
    await expect.poll(() => vm.serials(), { timeout: 30_000 }).toEqual([serial]);
    expect(await lab.doctor()).toEqual([]);
  });
});

describe('a VM whose process is stopped (SIGSTOP)', () => {
  test('doctor says which, and how it goes on; a detach ends at its deadline and is done when it runs', async () => {
    const { id } = await attach('stopped.img');
    process.kill(vm.qemu.pid, 'SIGSTOP');
    try {
      const [finding, ...others] = await lab.doctor(true);
      expect(others).toEqual([]);
      expect(finding).toMatchObject({
        problem: 'vm-unreachable',
        why: expect.stringContaining(String(vm.qemu.pid)),
        plan: [{ by: 'person', step: `kill -CONT ${vm.qemu.pid}` }, { by: 'person' }],
        repaired: false,
      });
      const error: unknown = await lab
        .use((vmplug) => vmplug.detach('vm1', id, { timeoutMs: 1500 }))
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'monitor-busy' });
    } finally {
      process.kill(vm.qemu.pid, 'SIGCONT');
    }
    expect(await lab.use((vmplug) => vmplug.detach('vm1', id, patient))).toMatchObject({ state: 'released' });
  });
});

describe('what somebody else plugged', () => {
  test('is named and left alone, and is no problem', async () => {
    await vm.tell('blockdev-add', { driver: 'null-co', 'node-name': 'theirs', size: 1 << 20 });
    await vm.tell('device_add', {
      driver: 'virtio-blk-pci',
      id: 'theirs',
      drive: 'theirs',
      bus: 'rp3',
      addr: '0',
    });
    try {
      expect(await lab.doctor(true)).toMatchObject([
        { problem: 'foreign-device', device: 'theirs', isNote: true, what: expect.stringContaining('rp3') },
      ]);
      expect(await vm.tell('qom-list', { path: '/machine/peripheral/theirs' })).toBeDefined();
    } finally {
      await vm.tell('device_del', { id: 'theirs' });
      await expect
        .poll(() => vm.tell('blockdev-del', { 'node-name': 'theirs' }).then(() => 'gone', String), {
          timeout: 30_000,
        })
        .toBe('gone');
    }
  });

  test('is a problem where it uses what is claimed here', async () => {
    const image = lab.lab.image('both.img');
    const { id, place } = await lab.use((vmplug) =>
      vmplug.attach('vm1', image, { ...patient, readOnly: true }),
    );
    const bus = place.bus === 'rp3' ? 'rp2' : 'rp3';
    await vm.tell('blockdev-add', {
      driver: 'raw',
      'node-name': 'twice',
      'read-only': true,
      file: { driver: 'file', filename: image },
    });
    await vm.tell('device_add', {
      driver: 'virtio-blk-pci',
      id: 'twice',
      drive: 'twice',
      bus,
      addr: '0',
    });
    try {
      expect(await lab.doctor(true)).toMatchObject([
        { problem: 'foreign-device', device: 'twice', repaired: false, what: expect.stringContaining(id) },
      ]);
    } finally {
      await vm.tell('device_del', { id: 'twice' });
      await expect
        .poll(() => vm.tell('blockdev-del', { 'node-name': 'twice' }).then(() => 'gone', String), {
          timeout: 30_000,
        })
        .toBe('gone');
    }
  });
});
