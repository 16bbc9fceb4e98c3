import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { processIdentity } from '../host/process-identity.ts';
import { Bench, deadProcess, errorOf, TestStore } from './bench.testing.ts';
import { testGroup } from './hosts.testing.ts';
import {
  before,
  bindings,
  card,
  disk,
  expectGivenBack,
  given,
  groupOfTwo,
  resolved,
} from './leases.testing.ts';
import { giveBackFreed } from './leases.ts';
import { releaseAll, settleAttachment } from './settle.ts';

let stores: TestStore;
let host: FakeSysfs;
let bench: Bench;
beforeEach(() => {
  stores = new TestStore();
  host = groupOfTwo();
  bench = new Bench(stores.store, { sysfs: host });
});
afterEach(() => {
  host[Symbol.dispose]();
  stores[Symbol.dispose]();
});

const leases = (): unknown[] => stores.store.read((tx) => tx.leases());
const attach = async (): Promise<AttachmentRecord> => bench.attach(await resolved(host));

describe('the way of a group', () => {
  test('to vfio-pci before the plug, and back after the unplug, with stages of their own', async () => {
    const atPlug: string[][] = [];
    bench.machine.onExchange((name) => name === 'device_add' && atPlug.push(bindings(host)));
    const attached = await attach();
    expect(atPlug).toEqual([given, given]);
    expect(attached.timeline).toHaveProperty('bind');
    expect(leases()).toEqual([
      {
        group: '12',
        device: attached.id,
        sandbox: 'vm1',
        boot: expect.stringMatching(/./),
        functions: [
          { address: disk, driver: 'nvme', override: null },
          { address: card, driver: 'e1000e', override: 'e1000e' },
        ],
      },
    ]);
    const { state, timeline } = await bench.detach(attached.id);
    expect(state).toBe('released');
    expect(timeline).toHaveProperty('give-back');
    expectGivenBack(bench, host);
  });

  test('the lease is durable before the first write to sysfs', async () => {
    const seen: number[] = [];
    const io = {
      ...host.io,
      write: async (path: string, text: string) => {
        seen.push(leases().length);
        await host.io.write(path, text);
      },
    };
    await bench.attach(await resolved(host), {}, { sysfs: { ...host, io } });
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set([1]));
  });

  test('what the operator gave to vfio-pci is not given back', async () => {
    using own = groupOfTwo();
    for (const address of [disk, card]) own.remove(address);
    own.addFunction('0000:07:00.0', { group: '12', driver: 'vfio-pci', override: 'vfio-pci' });
    const theirs = new Bench(stores.store, { name: 'vm2', sysfs: own });
    const group = { ...testGroup('12', 1), source: 'vfio:0000:07:00.0' };
    const functions: typeof group.functions = [{ ...group.functions[0], address: '0000:07:00.0' }];
    const { id } = await theirs.attach({ ...group, functions });
    expect(leases()).toEqual([]);
    await theirs.detach(id);
    expect(own.binding('0000:07:00.0')).toBe('vfio-pci|vfio-pci');
    expect(own.writes).toEqual([]);
  });

  test('vfio-pci is loaded where it is missing; where it cannot be, nothing is changed', async () => {
    host.removeDriver('vfio-pci');
    const group = await resolved(host);
    await expect(bench.attach(group)).rejects.toThrow('Module vfio-pci not found');
    expectGivenBack(bench, host);
    host.loadable.push('vfio-pci');
    const { id } = await bench.attach(group);
    expect(host.loaded).toEqual(['vfio-pci', 'vfio-pci']);
    expect(bindings(host)).toEqual(given);
    await bench.detach(id);
    expectGivenBack(bench, host);
  });

  test('disks cost nothing of it', async () => {
    const reads: string[] = [];
    const io = { ...host.io, read: async (path: string) => (reads.push(path), host.io.read(path)) };
    const { id } = await bench.attach('a', {}, { sysfs: { ...host, io } });
    await bench.detach(id, {}, { sysfs: { ...host, io } });
    expect([reads, host.writes, leases()]).toEqual([[], [], []]);
  });
});

describe('an attach that fails', () => {
  test('while the group is bound: it is as before, and can be attached later', async () => {
    host.faults = ['none', 'none', 'none', 'none', 'fails'];
    expect(await errorOf(attach())).toMatchObject({ code: 'source-unsuitable' });
    expectGivenBack(bench, host);
    expect(bench.machine.log).toEqual([]);
    host.faults = [];
    await bench.detach((await attach()).id);
    expectGivenBack(bench, host);
  });

  test('in the VMM: the VM first, then the drivers', async () => {
    const order: string[] = [];
    bench.machine.onExchange((name) => name.startsWith('device_') && order.push(name));
    const io = {
      ...host.io,
      write: async (path: string, text: string) => {
        order.push('sysfs');
        await host.io.write(path, text);
      },
    };
    bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'no', after: 1 });
    const group = await resolved(host);
    const error = await errorOf(bench.attach(group, {}, { sysfs: { ...host, io } }));
    expect(error.code).toBe('vmm-refused');
    expectGivenBack(bench, host);
    expect(order.filter((each, index) => each !== order[index - 1])).toEqual([
      'sysfs',
      'device_add',
      'device_del',
      'sysfs',
    ]);
  });

  test('in the VMM, and a function does not go back: both are said, and the lease stays', async () => {
    bench.machine.fail({ on: 'device_add', do: 'refuse', text: 'some words' });
    host.faults = [...Array.from({ length: 6 }, () => 'none' as const), 'fails', 'fails', 'fails'];
    const error = await errorOf(attach());
    expect(error).toMatchObject({ code: 'outcome-unknown', facts: { group: '12' } });
    expect(error.message).toContain('some words');
    expect(error.hint).toContain('vmplug doctor --repair');
    expect(leases()).toMatchObject([{ group: '12', error: { code: 'outcome-unknown' } }]);
    bench.expectNothingLeft('none');
    host.faults = [];
    expect(await giveBackFreed(bench.context)).toEqual([]);
    expect(await giveBackFreed(bench.context, { again: true })).toMatchObject([{ lease: { group: '12' } }]);
    expectGivenBack(bench, host);
  });

  test('given up by the caller while the group is bound: nothing is changed', async () => {
    const controller = new AbortController();
    const io = {
      ...host.io,
      write: async (path: string, text: string) => {
        controller.abort();
        await host.io.write(path, text);
      },
    };
    const group = await resolved(host);
    const error = await errorOf(
      bench.attach(group, { signal: controller.signal }, { sysfs: { ...host, io } }),
    );
    expect(error.code).toBe('aborted');
    expectGivenBack(bench, host);
  });
});

describe('a group that does not go back', () => {
  test('after a detach: it is released, and the error says what is still with vfio-pci', async () => {
    const { id } = await attach();
    host.writes.length = 0;
    host.faults = ['none', 'none', 'none', 'none', 'fails', 'fails'];
    const error = await errorOf(bench.detach(id));
    expect(error).toMatchObject({
      code: 'outcome-unknown',
      reason: expect.stringContaining('released'),
      hint: expect.stringContaining('vmplug doctor --repair'),
      facts: { released: true, group: '12', [card]: expect.stringContaining('vfio-pci') },
    });
    bench.expectNothingLeft('none');
    expect(leases()).toMatchObject([{ device: id, error: { code: 'outcome-unknown' } }]);
    host.faults = [];
    await giveBackFreed(bench.context, { again: true });
    expectGivenBack(bench, host);
  });

  test('is taken over by the next attach, and given back to what it had first', async () => {
    const { id } = await attach();
    host.writes.length = 0;
    host.faults = ['fails', 'none', 'none', 'none', 'fails', 'fails'];
    await errorOf(bench.detach(id));
    host.faults = [];
    const other = new Bench(stores.store, { name: 'vm2', sysfs: host });
    const second = await other.attach(await resolved(host));
    expect(bindings(host)).toEqual(given);
    expect(leases()).toMatchObject([{ device: second.id, sandbox: 'vm2' }]);
    expect(await giveBackFreed(bench.context, { again: true })).toEqual([]);
    await other.detach(second.id);
    expectGivenBack(other, host);
  });

  test('and that an attach fails to take over stays to be given back', async () => {
    const { id } = await attach();
    host.writes.length = 0;
    host.faults = ['none', 'none', 'none', 'none', 'fails', 'fails'];
    await errorOf(bench.detach(id));
    host.writes.length = 0;
    host.faults = ['none', 'fails'];
    await errorOf(attach());
    expect(leases()).toHaveLength(1);
    host.faults = [];
    await giveBackFreed(bench.context, { again: true });
    expectGivenBack(bench, host);
  });
});

describe('a group that a process still has open when the device has gone', () => {
  const open = (): void => {
    host.write('proc/42/cmdline', 'qemu\0');
    host.write('proc/42/fd/none', '');
    symlinkSync(join(host.paths.dev, 'vfio/12'), join(host.paths.proc, '42/fd/9'));
  };
  const close = (): void => rmSync(join(host.paths.proc, '42/fd/9'));

  test('is given back when it has closed it, not before', async () => {
    const { id } = await attach();
    open();
    host.writes.length = 0;
    const looks: number[] = [];
    bench.onProgress = (what) => what === 'give the IOMMU group back' && looks.push(host.writes.length);
    const detached = bench.detach(id);
    while (looks.length === 0) await nextTurn();
    for (let turns = 0; turns < 50; turns++) await nextTurn();
    expect([host.writes, bindings(host)]).toEqual([[], given]);
    close();
    await detached;
    expectGivenBack(bench, host);
  });

  test('and that does not close it keeps it, with the process, until it is tried again', async () => {
    const { id } = await attach();
    open();
    host.writes.length = 0;
    expect(await errorOf(bench.detach(id, {}, { groupClosesMs: 20 }))).toMatchObject({
      code: 'outcome-unknown',
      reason: expect.stringContaining('process 42 (qemu) still has it open'),
      facts: { released: true, group: '12', pid: 42, command: 'qemu' },
    });
    expect([host.writes, bindings(host)]).toEqual([[], given]);
    expect(leases()).toMatchObject([{ device: id, error: { code: 'group-held' } }]);
    close();
    await giveBackFreed(bench.context, { again: true });
    expectGivenBack(bench, host);
  });
});

test('while another living process gives it back, an attach says so, and a dead one is no hindrance', async () => {
  const { id } = await attach();
  const [lease] = stores.store.read((tx) => tx.leases());
  releaseAll(bench.context);
  for (const { id: device } of bench.machine.devices) bench.machine.letGo(device);
  const alive = processIdentity(process.ppid) ?? expect.fail('no parent process');
  stores.store.write((tx) => {
    if (lease !== undefined) tx.putLease({ ...lease, worker: { process: alive, id: 'w' } });
  });
  expect(await errorOf(attach())).toMatchObject({
    code: 'operation-in-progress',
    facts: { pid: process.ppid, group: '12' },
  });
  expect(await giveBackFreed(bench.context, { again: true })).toEqual([]);
  stores.store.write((tx) => {
    if (lease !== undefined) tx.putLease({ ...lease, device: id, worker: { process: deadProcess, id: 'w' } });
  });
  expect(await giveBackFreed(bench.context)).toHaveLength(1);
  expectGivenBack(bench, host);
});

test('a VM that has ended gives back what it had; what others free is given back by whoever comes next', async () => {
  await attach();
  bench.machine.die();
  releaseAll(bench.context);
  await giveBackFreed(bench.context);
  expect(bindings(host)).toEqual(before);
  expect(leases()).toEqual([]);
});

test('a lease of an earlier boot is dropped, and nothing is touched', async () => {
  await attach();
  const [lease] = stores.store.read((tx) => tx.leases());
  releaseAll(bench.context);
  stores.store.write((tx) => lease && tx.putLease({ ...lease, boot: 'another' }));
  host.writes.length = 0;
  await giveBackFreed(bench.context);
  expect([leases(), host.writes]).toEqual([[], []]);
  expect(bindings(host)).toEqual(given);
});

describe('a function that went away under the VM', () => {
  test.each(['detach', 'detach while paused', 'settle'])(
    '%s: its lease goes, and what came back is not touched',
    async (how) => {
      const { id } = await attach();
      // As `echo 1 > remove` and a rescan do it: the VM lets go, and the native drivers have it again.
      bench.machine.eventsLost = true;
      for (const { id: device } of bench.machine.devices) bench.machine.letGo(device);
      bench.machine.eventsLost = false;
      for (const address of [disk, card]) host.remove(address);
      host.addFunction(disk, { driver: 'nvme' });
      host.writes.length = 0;
      if (how === 'detach while paused') bench.machine.pause();
      if (how !== 'settle') expect(await bench.detach(id)).toMatchObject({ state: 'released' });
      else {
        expect(await settleAttachment(bench.context, id)).toBe('released');
        await giveBackFreed(bench.context);
      }
      expect([host.writes, leases(), bench.attachments()]).toEqual([[], [], []]);
      expect(host.binding(disk)).toBe('nvme|none');
    },
  );
});
