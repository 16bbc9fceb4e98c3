import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesNothing, refusalOf, refused } from './errors.testing.ts';
import type { GuestName } from './guests.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

interface Device {
  readonly id: string;
  readonly state: string;
  readonly evidence: 'acknowledged';
  readonly staysUntilVmEnds: string | null;
}

interface Machine {
  readonly guest: GuestName;
  readonly machine: string;
}

const machines: readonly Machine[] = [
  { guest: 'q35', machine: 'q35' },
  { guest: 'pc', machine: 'pc' },
  { guest: 'q35@10', machine: 'q35' },
];
const bytes = 16 * 1024 * 1024;
const stays = 'stays until the VM ends: QEMU cannot unplug an nvdimm';

beforeAll(() => ensurePackages(qemuPackages), 600_000);

async function qemuOf(lab: Lab): Promise<string> {
  const { sandboxes } = await lab.ok<{ sandboxes: { version: string }[] }>('sandbox', 'ls');
  return sandboxes[0]?.version ?? '';
}

describe.each(machines)('a pmem file in a guest on $guest', ({ guest, machine }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await lab.adopt('vm1', guest);
  }, 600_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  test('is /dev/pmem0 there, written both ways; that it cannot leave is said before, after, and at every detach', async (context) => {
    const image = lab.image('lasting, memory.img', bytes);
    writeFileSync(image, 'written on the host', { flag: 'r+' });
    const planned = await lab.vmplug('attach', 'vm1', `pmem:${image}`, '--dry-run');
    expect(planned.stdout).toContain(stays);

    const attached = await lab.vmplug('attach', 'vm1', `pmem:${image}`);
    expect(attached).toMatchObject({ code: 0, stdout: expect.stringContaining(stays) });
    expect(attached.stderr).toContain(stays);

    await expect
      .poll(async () => (await lab.guest('vm1', 'cat /sys/block/pmem0/size')).stdout.toString(), {
        timeout: 30_000,
        interval: 100,
      })
      .toBe(`${bytes / 512}\n`);
    const inGuest = await lab.guest(
      'vm1',
      "head -c 19 /dev/pmem0; printf 'written in the guest' | dd of=/dev/pmem0 bs=4096 seek=1 conv=sync,fsync 2>/dev/null",
    );
    expect(inGuest.stdout.toString()).toBe('written on the host');
    expect(readFileSync(image).subarray(4096, 4116).toString()).toBe('written in the guest');

    const { devices } = await lab.ok<{ devices: Device[] }>('ls', 'vm1');
    expect(devices).toMatchObject([
      { state: 'attached', evidence: 'acknowledged', staysUntilVmEnds: 'QEMU cannot unplug an nvdimm' },
    ]);
    const refusal = await changesNothing(lab, ['vm1'], () =>
      refused(lab, 'unsupported', 'detach', 'vm1', devices[0]?.id ?? ''),
    );
    expect(refusal.cause).toBeNull();
    expect((await lab.guest('vm1', 'head -c 19 /dev/pmem0')).stdout.toString()).toBe('written on the host');
    const qemu = await qemuOf(lab);
    seen(
      context,
      { kind: 'nvdimm', way: 'hot-plug', machine, qemu, evidence: 'acknowledged', address: 'memory slot' },
      { kind: 'nvdimm', way: 'unplug', machine, qemu, refused: refusal.reason },
    );
  });

  test('is read-only there when it is attached so', async () => {
    const image = lab.image('read-only.img', bytes);
    writeFileSync(image, 'kept as it is', { flag: 'r+' });
    await lab.ok('attach', 'vm1', `pmem:${image}`, '--read-only');
    const script =
      'for d in /sys/block/pmem*; do [ "$(cat $d/ro)" = 1 ] && head -c 13 /dev/${d##*/} && echo; done; true';
    await expect
      .poll(async () => (await lab.guest('vm1', script)).stdout.toString(), {
        timeout: 30_000,
        interval: 100,
      })
      .toBe('kept as it is\n');
  });
});

describe('a pmem source that is none', () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = new Lab();
    await lab.adopt('vm1', 'q35');
  }, 600_000);
  afterAll(() => lab[Symbol.asyncDispose]());

  const refusedAs = (code: Parameters<typeof refused>[1], source: string) =>
    changesNothing(lab, ['vm1'], () => refused(lab, code, 'attach', 'vm1', `pmem:${source}`));

  test('is not made by accident: a file that is missing stays missing', async () => {
    const path = lab.path('missing.img');
    await refusedAs('source-not-found', path);
    expect(existsSync(path)).toBe(false);
  });

  test('a directory: nothing is made in it', async () => {
    const path = lab.path('directory');
    mkdirSync(path);
    await refusedAs('source-unsuitable', path);
    expect(statSync(path).isDirectory()).toBe(true);
  });

  test('a size that is none of whole pages: both sizes that would do are named, the file stays as it is', async () => {
    const image = lab.image('odd.img', 2 * 1024 * 1024 + 100);
    const { reason } = await refusedAs('pmem-size', image);
    expect(reason).toContain(String(2 * 1024 * 1024 + 100));
    expect(statSync(image).size).toBe(2 * 1024 * 1024 + 100);
    await refusedAs('pmem-size', lab.image('empty.img', 0));
  });

  test('more than there are slots, and more than there is room', async () => {
    for (const name of ['1', '2', '3', '4'])
      await lab.ok('attach', 'vm1', `pmem:${lab.image(name, 4096 * 512)}`);
    const { facts } = await refusedAs('no-free-place', lab.image('5', 4096 * 512));
    expect(facts).toMatchObject({ total: 4, free: 0, transport: 'memory' });
  });

  test('too large for the room that the VM has: QEMU is left as it was', async () => {
    await using other = new Lab();
    await other.adopt('vm2', 'q35');
    const image = other.image('huge.img', 5 * 1024 ** 3);
    await changesNothing(other, ['vm2'], async () => {
      const result = await other.vmplug('attach', 'vm2', `pmem:${image}`, '--json');
      // That it would have stayed was said before it was tried.
      expect(result.stderr).toContain(stays);
      refusalOf({ ...result, stderr: '' }, 'vmm-refused');
    });
  });
});

test('a VM without room for memory says how to start one that has it', async () => {
  await using lab = new Lab();
  await lab.run('vm1');
  const image = lab.image('memory.img', bytes);
  const { reason, hint } = await changesNothing(lab, ['vm1'], () =>
    refused(lab, 'bus-not-hotpluggable', 'attach', 'vm1', `pmem:${image}`),
  );
  expect(`${reason} ${hint}`).toContain('slots');
});
