import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitForGuest } from './guest/index.ts';
import { failsAs, LifeLab, patient, type LivingVm } from './vm-life.testing.ts';

/** Asks a guest to let go for so short a time that it has not. */
async function beginDetach(lab: LifeLab, sandbox: string, id: string): Promise<void> {
  await failsAs(
    'deadline-passed',
    lab.use((vmplug) => vmplug.detach(sandbox, id, { timeoutMs: 700 })),
  );
}

describe('of a guest that is deaf to hot-plug, doctor says why a detach is stuck, and the next safe step', () => {
  let lab: LifeLab;
  let vm: LivingVm;
  let live: string;
  let unseen: string;

  beforeAll(async () => {
    lab = new LifeLab();
    vm = await lab.adopt('vm1', 'q35', ['-S'], { waits: false, append: 'acpiphp.disable=1' });
    const attach = async (name: string): Promise<string> =>
      (
        await lab.use((vmplug) =>
          vmplug.attach('vm1', lab.lab.image(name), { ...patient, wait: 'acknowledged' }),
        )
      ).id;
    // What is there at its start this guest runs; what comes later it never sees.
    live = await attach('live.img');
    await vm.tell('cont');
    await waitForGuest(vm.qemu.exec, patient);
    unseen = await attach('unseen.img');
    for (const id of [live, unseen]) await beginDetach(lab, 'vm1', id);
  }, 180_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  const why = async (id: string): Promise<string | undefined> =>
    (await lab.doctor()).find(({ device }) => device === id)?.why;

  test('a disk that its driver runs: it may be mounted, which nobody can know from outside', async () => {
    expect(await why(live)).toMatch(/has not let go.*mounted in the guest cannot be known/);
  });

  test('a disk that it has not seen: no driver runs it', async () => {
    expect(await why(unseen)).toMatch(/no driver of the guest runs it \(acknowledged/);
  });

  test('while the VM is paused that is the reason', async () => {
    await vm.tell('stop');
    try {
      for (const id of [live, unseen]) expect(await why(id)).toMatch(/the VM is paused/);
    } finally {
      await vm.tell('cont');
    }
  });

  test('on the command line: a table, the reasons and a plan; exit code 1, and nothing is changed', async () => {
    const before = await vm.ours();
    const text = await lab.lab.vmplug('doctor');
    expect(text).toMatchObject({ code: 1, stderr: '' });
    expect(text.stdout).toMatch(/SANDBOX +DEVICE +PROBLEM +WANTED +RECORDED +VMM +HOST/);
    expect(text.stdout).toContain(`you: vm1 ${live}: in the guest: unmount it`);
    const json = await lab.lab.vmplug('doctor', '--json');
    expect(json.json()).toMatchObject({
      ok: false,
      findings: [
        { problem: 'unsettled', device: live, truths: { recorded: 'detaching, detach expired' } },
        { problem: 'unsettled', device: unseen },
      ],
      notes: [],
      plan: expect.arrayContaining([
        { sandbox: 'vm1', device: live, by: 'person', step: expect.stringContaining('detach'), done: false },
      ]),
    });
    expect(await vm.ours()).toEqual(before);
  });

  test('when QEMU has ended there is nothing to wait for', async () => {
    await vm.qemu[Symbol.asyncDispose]();
    expect(await lab.doctor(true)).toMatchObject([{ problem: 'vm-ended', repaired: true }]);
    expect(await lab.use(async (vmplug) => vmplug.list())).toEqual([]);
  });
});

test('of a native PCI Express port doctor says that it is slow, and then that it has let go', async () => {
  await using lab = new LifeLab();
  await lab.adopt('vm1', 'q35-native');
  const { id } = await lab.use((vmplug) => vmplug.attach('vm1', lab.lab.image('a.img'), patient));
  await beginDetach(lab, 'vm1', id);
  const [finding] = await lab.doctor();
  // On a slow machine it may be later than the guest needs.
  expect(finding?.why).toMatch(/5 to 6 s|does not have the device/);
  await expect
    .poll(async () => (await lab.doctor())[0]?.why, { timeout: 60_000, interval: 500 })
    .toMatch(/does not have the device/);
  expect(await lab.doctor(true)).toMatchObject([{ problem: 'unsettled', device: id, repaired: true }]);
  expect(await lab.doctor()).toEqual([]);
});
