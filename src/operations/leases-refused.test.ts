import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AttachmentRecord } from '../api/attachment.ts';
import type { FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import { Bench, errorOf, TestStore } from './bench.testing.ts';
import { expectGivenBack, groupOfTwo, resolved } from './leases.testing.ts';

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

const attach = async (): Promise<AttachmentRecord> => bench.attach(await resolved(host));

describe('a refusal of the VMM has a code of its own, and everything is undone', () => {
  test.each([
    ["vfio 0000:04:00.0: Could not open '/dev/vfio/12': Device or resource busy", 'group-held'],
    ['vfio 0000:04:00.0: group 12 is not viable', 'group-not-viable'],
    [
      'vfio 0000:04:00.0: failed to setup container for group 12: Failed to set iommu for container: Operation not permitted',
      'no-interrupt-remapping',
    ],
    [
      'vfio 0000:04:00.0: failed to setup container for group 12: memory listener initialization failed: Region pc.ram: vfio_dma_map(0x1, 0x0, 0xc0000, 0x2) = -12 (Cannot allocate memory)',
      'memlock-too-small',
    ],
  ])('%s', async (text, code) => {
    bench.machine.fail({ on: 'device_add', do: 'refuse', text, after: 1 });
    expect(await errorOf(attach())).toMatchObject({ code, cause: { desc: text }, facts: { group: '12' } });
    expectGivenBack(bench, host);
  });

  test('memlock: how much the VMM may lock, and of which process', async () => {
    const vm = new Bench(stores.store, {
      name: 'vm2',
      sysfs: host,
      process: { pid: 41, startTime: '1' },
    });
    host.write(
      'proc/41/limits',
      'Max locked memory         8388608              8388608              bytes\n',
    );
    vm.machine.fail({
      on: 'device_add',
      do: 'refuse',
      text: 'vfio 0000:04:00.0: vfio_dma_map(0x1, 0x0, 0xc0000, 0x2) = -12 (Cannot allocate memory)',
    });
    expect(await errorOf(vm.attach(await resolved(host)))).toMatchObject({
      code: 'memlock-too-small',
      facts: { limit: 8_388_608 },
      hint: expect.stringContaining('prlimit --pid 41'),
    });
  });
});

describe('a group that another process has open', () => {
  const openBy = (pid: number): void => {
    host.write(`proc/${pid}/cmdline`, 'dpdk-testpmd\0');
    mkdirSync(join(host.paths.proc, `${pid}/fd`));
    symlinkSync(join(host.paths.dev, 'vfio/12'), join(host.paths.proc, `${pid}/fd/9`));
  };

  test('is refused before anything is changed, and the process is named', async () => {
    const vm = new Bench(stores.store, { name: 'vm2', sysfs: host, process: { pid: 41, startTime: '1' } });
    const group = await resolved(host);
    openBy(42);
    expect(await errorOf(vm.attach(group))).toMatchObject({
      code: 'group-held',
      facts: { group: '12', pid: 42, command: 'dpdk-testpmd' },
    });
    expect([host.writes, vm.machine.log, vm.attachments()]).toEqual([[], [], []]);
  });

  test('is not refused for the VM itself, which may still be letting go of it', async () => {
    const vm = new Bench(stores.store, { name: 'vm2', sysfs: host, process: { pid: 42, startTime: '1' } });
    const group = await resolved(host);
    openBy(42);
    await vm.attach(group);
  });

  test('where the process of the VM is not known, its VMM decides, and the holder is found then', async () => {
    const held = '0000:04:00.2';
    host.addFunction(held, { group: '12', driver: 'vfio-pci' });
    const group = await resolved(host);
    openBy(42);
    bench.machine.fail({
      on: 'device_add',
      do: 'refuse',
      text: 'vfio 0000:04:00.0: failed to open /dev/vfio/12: Device or resource busy',
    });
    expect(await errorOf(bench.attach(group))).toMatchObject({ code: 'group-held', facts: { pid: 42 } });
    // The holder has a function of its own with vfio-pci, so ours go back while it goes on.
    expect(host.binding(held)).toBe('vfio-pci|none');
    expectGivenBack(bench, host);
  });
});
