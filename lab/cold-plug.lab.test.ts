import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { inGuest, serveDisk, serveFolder, type Device } from './back-ends/served.testing.ts';
import { firstWords, imageOf, refusedStart, runWith } from './cold-plug.testing.ts';
import { refused, vmmHas } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { seen } from './seen.ts';
import { ensurePackages, labPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(labPackages);
});
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

describe.each(['q35', 'pc'] as const)('%s', (machine) => {
  test('disks and an nvdimm are there from the start, and leave as if they had been plugged', async (context) => {
    const blk = imageOf(lab, 'blk.img', 'from the start');
    const scsi = imageOf(lab, 'scsi,1.img', 'behind a controller');
    const pmem = imageOf(lab, 'pmem.img', 'memory that lasts');
    const { version: qemu, devices } = await runWith(
      lab,
      'vm1',
      [blk, { source: scsi, driver: 'virtio-scsi', readOnly: true }, `pmem:${pmem}`],
      ...['--machine', machine],
    );
    expect(devices).toMatchObject([
      { source: blk, driver: 'virtio-blk', state: 'attached', evidence: 'live' },
      { source: scsi, driver: 'virtio-scsi', state: 'attached', evidence: 'live', readOnly: true },
      { source: `pmem:${pmem}`, driver: 'nvdimm', state: 'attached', evidence: 'acknowledged' },
    ]);
    const [onPci, onScsi, inMemory] = devices;
    if (onPci === undefined || onScsi === undefined || inMemory === undefined)
      throw new Error('three devices');
    expect(await firstWords(lab, 'vm1', onPci.serial, 14)).toBe('from the start');
    expect(await firstWords(lab, 'vm1', onScsi.serial, 19)).toBe('behind a controller');
    expect(await inGuest(lab, 'vm1', 'head -c 17 /dev/pmem0')).toBe('memory that lasts');
    const way = 'cold-plug';
    seen(
      context,
      { kind: 'virtio-blk', way, machine, qemu, evidence: 'live', address: 'PCI path, serial' },
      { kind: 'virtio-scsi', way, machine, qemu, evidence: 'live', address: 'SCSI address, serial' },
      { kind: 'nvdimm', way, machine, qemu, evidence: 'acknowledged', address: 'memory slot' },
    );

    const stays = await refused(lab, 'unsupported', 'detach', 'vm1', inMemory.id);
    expect(stays.reason).toContain('QEMU cannot unplug an nvdimm');
    seen(context, { kind: 'nvdimm', way: 'unplug', machine, qemu, refused: stays.reason });
    for (const { id } of [onPci, onScsi]) {
      expect(await lab.ok('detach', 'vm1', id)).toMatchObject({ state: 'released' });
    }
    expect(await lab.disks('vm1')).toEqual([]);
    const { devices: left } = await vmmHas(lab.sandbox('vm1').socket);
    expect(left.filter((id) => id.startsWith('vmplug-'))).toEqual([inMemory.vmmId]);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
    // Free again: the same image, plugged, under a name that this VM has not had yet.
    expect(await lab.ok('attach', 'vm1', blk)).toMatchObject({ state: 'attached', evidence: 'live' });
  });

  test('vhost-user: the memory is shared without being asked for; disk and folder are used, and leave', async (context) => {
    await using disk = await serveDisk(lab, 'disk');
    await using folder = await serveFolder(lab, 'data');
    const { version: qemu, devices } = await runWith(
      lab,
      'vm1',
      [disk.attach[0], folder.attach[0]],
      ...['--machine', machine, ...folder.attach.slice(1)],
    );
    expect(devices).toMatchObject([
      { kind: 'vhost-user-blk', state: 'attached', evidence: 'live' },
      { kind: 'vhost-user-fs', state: 'attached', evidence: 'live', guest: { tag: 'data' } },
    ]);
    const [asDisk, asFolder] = devices;
    if (asDisk === undefined || asFolder === undefined) throw new Error('two devices');
    await disk.use('vm1', asDisk);
    await folder.use('vm1', asFolder);
    const common = { way: 'cold-plug', machine, qemu, evidence: 'live' } as const;
    seen(
      context,
      { ...common, kind: 'vhost-user-blk', address: 'PCI path' },
      { ...common, kind: 'vhost-user-fs', address: 'tag' },
    );
    for (const { id } of [asDisk, asFolder]) {
      expect(await lab.ok('detach', 'vm1', id)).toMatchObject({ state: 'released' });
    }
    await folder.backEnd.ended;
    const again = await lab.ok<Device>('attach', 'vm1', ...disk.attach);
    await disk.use('vm1', again);
  });
});

test.for([
  ['virt', 'virtio-blk', 'PCI path, serial'],
  ['s390-ccw-virtio', 'virtio-blk-ccw', 'device number, serial'],
] as const)('%s: a disk is there from the start, and leaves', async ([machine, kind, address], context) => {
  const image = imageOf(lab, 'blk.img', 'another architecture');
  const { version: qemu, devices } = await runWith(lab, 'vm1', [image], '--machine', machine);
  expect(devices).toMatchObject([{ driver: kind, state: 'attached', evidence: 'live' }]);
  expect(await firstWords(lab, 'vm1', devices[0]?.serial ?? '', 20)).toBe('another architecture');
  const common = { kind, machine, qemu };
  seen(context, { ...common, way: 'cold-plug', evidence: 'live', address });
  const detach = ['detach', 'vm1', image, '--timeout', '60s'];
  expect(await lab.ok(...detach)).toMatchObject({ state: 'released' });
  expect(await lab.disks('vm1')).toEqual([]);
  seen(context, { ...common, way: 'unplug', evidence: 'live', address });
  expect(await lab.ok('attach', 'vm1', image)).toMatchObject({ state: 'attached', evidence: 'live' });
});

test('native hot-plug: a disk from the start leaves by its port’s own means', async () => {
  const { devices } = await runWith(
    lab,
    'vm1',
    [imageOf(lab, 'a.img', 'a')],
    '--native-hotplug',
    '--ports',
    '1',
  );
  expect(devices).toMatchObject([{ evidence: 'live', place: { unplug: 'pcie-native' } }]);
  expect(await lab.ok('detach', 'vm1', devices[0]?.id ?? '', '--timeout', '60s')).toMatchObject({
    state: 'released',
  });
});

test('the firmware is not the guest: a disk whose driver the guest lacks is not live, and nothing stays', async () => {
  const image = imageOf(lab, 'a.img', 'a');
  const error = await refusedStart(lab, 'deadline-passed', [image], '--append', 'vmplug.skip=virtio_blk');
  expect(error).toMatchObject({ subject: image, reason: expect.stringContaining('enumerated') });
  const { devices } = await runWith(
    lab,
    'vm1',
    [image],
    '--append',
    'vmplug.skip=virtio_blk',
    '--wait',
    'enumerated',
  );
  expect(devices).toMatchObject([{ state: 'attached', evidence: 'enumerated' }]);
});

describe('what cannot be started with', () => {
  test('a file that is not there, a folder, an empty file', async () => {
    const missing = await refusedStart(lab, 'source-not-found', [lab.path('none.img')]);
    expect(missing.subject).toBe(lab.path('none.img'));
    await refusedStart(lab, 'source-unsuitable', [lab.directory]);
    await refusedStart(lab, 'source-unsuitable', [lab.image('empty.img', 0)]);
  });

  test('the same file twice, however it is spelled', async () => {
    const image = lab.image('a.img');
    const error = await refusedStart(lab, 'already-attached', [image, join(lab.directory, '.', 'a.img')]);
    expect(error).toMatchObject({ subject: image, hint: expect.stringContaining('once') });
    await refusedStart(lab, 'already-attached', [
      image,
      { source: image, driver: 'virtio-scsi', readOnly: true },
    ]);
  });

  test('what another sandbox has', async () => {
    const image = lab.image('a.img');
    await lab.ok('sandbox', 'run', 'vm2', '--accel', 'tcg', '--cold-plug', image);
    const error = await refusedStart(lab, 'claimed-elsewhere', [image]);
    expect(error).toMatchObject({ subject: image, facts: { holder: 'vm2' } });
  });

  test('more devices than places', async () => {
    const images = ['a.img', 'b.img', 'c.img'].map((name) => lab.image(name));
    const error = await refusedStart(lab, 'no-free-place', images, '--ports', '2');
    expect(error).toMatchObject({ subject: images[2], reason: expect.stringContaining('all 2 PCI slots') });
    const slots = ['--memory-slots', '1', '--max-memory', '4G'];
    await refusedStart(
      lab,
      'no-free-place',
      images.slice(0, 2).map((path) => `pmem:${path}`),
      ...slots,
    );
  });

  test('a tag twice, an option that is none, a driver of another kind, a flag without its device', async () => {
    await using one = await serveFolder(lab, 'one');
    await using two = await serveFolder(lab, 'two');
    const twice = [one, two].map(({ attach: [source] }) => ({ source, tag: 'same' }));
    await refusedStart(lab, 'tag-in-use', twice);
    const image = lab.image('a.img');
    const unknown = await refusedStart(lab, 'invalid-argument', [{ source: image, cash: 'none' }]);
    expect(unknown.reason).toContain('cash');
    await refusedStart(lab, 'invalid-argument', [{ source: image, driver: 'vfio-pci' }]);
    await refusedStart(lab, 'invalid-argument', [image], '--tag', 'data');
    await refusedStart(lab, 'invalid-argument', ['{"source":']);
    await refusedStart(lab, 'invalid-argument', [`vhost-user-fs:${one.backEnd.socket}`]);
  });

  test('a machine that takes no devices, and memory slots without room', async () => {
    await refusedStart(lab, 'unsupported', [], '--machine', 'microvm');
    await refusedStart(lab, 'invalid-argument', [], '--memory-slots', '2');
    await refusedStart(lab, 'invalid-argument', [], '--machine', 'pc', '--native-hotplug');
  });

  test('a disk that another process has locked: QEMU dies at its start, and its image is named', async () => {
    const image = lab.image('a.img');
    await using other = await serveDisk(lab, 'locked');
    const error = await refusedStart(lab, 'source-locked', [lab.path('locked.img')]);
    expect(error.subject).toBe(lab.path('locked.img'));
    expect(other.backEnd.log()).toBeDefined();
    // Nothing of the start is in the way of the next one.
    expect((await runWith(lab, 'vm1', [image])).devices).toMatchObject([{ state: 'attached' }]);
  });

  test('a kernel that is none', async () => {
    const image = lab.image('a.img');
    const error = await refusedStart(lab, 'start-failed', [image], '--kernel', '/bin/sh');
    expect(error.subject).toBe('vm1');
  });

  test('a guest that does not come up in time', async () => {
    const image = lab.image('a.img');
    await refusedStart(
      lab,
      'deadline-passed',
      [image],
      '--timeout',
      '2s',
      '--append',
      'vmplug.boot_delay=60',
    );
  });
});
