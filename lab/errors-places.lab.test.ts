import { mkdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { changesNothing, refusalOf, refused, rootPort, tellVmm, vmmHas } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab, type CliResult } from './harness.ts';

interface Device {
  id: string;
  state: string;
  evidence: string;
  place: { bus: string; slot: number };
}

describe('a guest with two ports', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = new Lab();
    await lab.run('vm1', '--ports', '2');
  });
  afterEach(async () => {
    const { devices } = await lab.ok<{ devices: Device[] }>('ls', 'vm1');
    for (const { id } of devices) await lab.ok('detach', 'vm1', id);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the third disk is told how many places there are; SCSI still has some', async () => {
    await lab.ok('attach', 'vm1', lab.image('1.img'));
    await lab.ok('attach', 'vm1', lab.image('2.img'));
    const third = lab.image('3.img');
    const error = await changesNothing(lab, ['vm1'], () =>
      refused(lab, 'no-free-place', 'attach', 'vm1', third),
    );
    expect(error).toMatchObject({
      message: expect.stringContaining('vm1'),
      reason: expect.stringContaining('2'),
      hint: expect.stringContaining('--ports'),
      facts: { total: 2, free: 0 },
    });
    expect(await lab.disks('vm1')).toHaveLength(2);
    await lab.ok('attach', 'vm1', third, '--driver', 'virtio-scsi');
  });

  test('of two that attach at once with one port left, exactly one wins', async () => {
    await lab.ok('attach', 'vm1', lab.image('first.img'));
    const race = ['a.img', 'b.img'].map((name) =>
      lab.start('attach', 'vm1', lab.image(name), '--json', '--timeout', '30s'),
    );
    const results = await Promise.all(race.map(({ ended }) => ended));
    const [winners, losers] = [
      results.filter(({ code }) => code === 0),
      results.filter(({ code }) => code !== 0),
    ];
    expect([winners.length, losers.length], said(results)).toEqual([1, 1]);
    expect(refusalOf(losers[0] as CliResult, 'no-free-place').facts).toMatchObject({ total: 2 });
    expect((await lab.ok<{ devices: Device[] }>('ls', 'vm1')).devices).toHaveLength(2);
    expect((await vmmHas(lab.sandbox('vm1').socket)).nodes).toHaveLength(4);
    expect(await lab.disks('vm1')).toHaveLength(2);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });

  test('a port that somebody else has filled is not used', async () => {
    const { socket } = lab.sandbox('vm1');
    await tellVmm(socket, [
      'device_add',
      { driver: 'virtio-rng-pci', id: 'theirs', bus: 'port0', addr: '0' },
    ]);
    const device = await lab.ok<Device>('attach', 'vm1', lab.image('beside.img'));
    expect(device).toMatchObject({ place: { bus: 'port1' }, evidence: 'live' });
    const image = lab.image('no-room.img');
    await changesNothing(lab, ['vm1'], () => refused(lab, 'no-free-place', 'attach', 'vm1', image));
    await tellVmm(socket, ['device_del', { id: 'theirs' }]);
    await expect
      .poll(async () => (await vmmHas(socket)).devices, { timeout: 10_000 })
      .not.toContain('theirs');
  });

  test('the same image, attached by two at once, is in once', async () => {
    const image = lab.image('same.img');
    const race = [1, 2].map(() => lab.start('attach', 'vm1', image, '--json', '--timeout', '30s'));
    const results = await Promise.all(race.map(({ ended }) => ended));
    expect(codes(results), said(results)).toEqual([0, 4]);
    refusalOf(results.find(({ code }) => code === 4) as CliResult, 'already-attached');
    expect(await lab.disks('vm1')).toHaveLength(1);
  });

  test('of two that detach one device at once, both are told the truth', async () => {
    const { id } = await lab.ok<Device>('attach', 'vm1', lab.image('parting.img'));
    const race = [1, 2].map(() => lab.start('detach', 'vm1', id, '--json', '--timeout', '30s'));
    const results = await Promise.all(race.map(({ ended }) => ended));
    expect(
      results.map(({ code }) => code),
      said(results),
    ).toContain(0);
    // The other one came while it was under way, or when it was over.
    for (const result of results.filter(({ code }) => code !== 0)) {
      refusalOf(result, result.code === 4 ? 'operation-in-progress' : 'device-not-found');
    }
    expect(await lab.ok('ls')).toMatchObject({ devices: [] });
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});

describe('a guest with eight ports', () => {
  test('six that attach different disks at once all get a place of their own', async () => {
    await using lab = new Lab();
    await lab.run('vm1', '--ports', '8');
    const race = Array.from({ length: 6 }, (_, index) =>
      lab.start('attach', 'vm1', lab.image(`${index}.img`), '--json', '--timeout', '60s'),
    );
    const results = await Promise.all(race.map(({ ended }) => ended));
    expect(
      results.map(({ code }) => code),
      said(results),
    ).toEqual([0, 0, 0, 0, 0, 0]);
    const devices = results.map((result) => result.json<Device>());
    expect(new Set(devices.map(({ place }) => place.bus)).size).toBe(6);
    expect(devices.every(({ evidence }) => evidence === 'live')).toBe(true);
    expect(await lab.disks('vm1')).toHaveLength(6);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});

describe('a VM without a place for hot-plug', () => {
  let lab: Lab;
  let bare: ForeignQemu;
  let fixed: ForeignQemu;

  beforeAll(async () => {
    lab = new Lab();
    const start = async (name: string, ...args: string[]): Promise<ForeignQemu> => {
      mkdirSync(lab.path(name));
      const vm = await startForeignQemu(lab.path(name), ['-S', ...args], { waits: false });
      await lab.ok('sandbox', 'adopt', name, '--qmp', vm.qmp);
      return vm;
    };
    bare = await start('bare', '-machine', 'q35');
    fixed = await start(
      'fixed',
      '-machine',
      'q35',
      ...rootPort('port0', 2, false),
      ...rootPort('port1', 3, false),
    );
  });
  afterAll(async () => {
    await Promise.all([bare[Symbol.asyncDispose](), fixed[Symbol.asyncDispose]()]);
    await lab[Symbol.asyncDispose]();
  });

  test.each([
    ['bare', 'virtio-blk', 'bus-not-hotpluggable', 'pcie.0'],
    ['fixed', 'virtio-blk', 'bus-not-hotpluggable', 'hotplug=off'],
    ['bare', 'virtio-scsi', 'no-free-place', '0 SCSI'],
  ] as const)('%s refuses %s: %s', async (name, driver, code, words) => {
    const image = lab.image(`${name}-${driver}.img`);
    for (const flags of [[], ['--dry-run']]) {
      const error = await changesNothing(lab, [name], () =>
        refused(lab, code, 'attach', name, image, '--driver', driver, '--wait', 'acknowledged', ...flags),
      );
      expect(error).toMatchObject({
        message: expect.stringContaining(name),
        hint: expect.stringContaining('--driver'),
      });
      expect(error.reason).toContain(words);
    }
  });
});

test('a sandbox that was started without ports says so', async () => {
  await using lab = new Lab();
  await lab.run('vm1', '--ports', '0');
  const image = lab.image('a.img');
  const error = await changesNothing(lab, ['vm1'], () =>
    refused(lab, 'bus-not-hotpluggable', 'attach', 'vm1', image),
  );
  expect(error.hint).toContain('--ports');
});

const said = (results: readonly CliResult[]): string =>
  results.map(({ stdout, stderr }) => stdout + stderr).join('\n');

const codes = (results: readonly CliResult[]): number[] =>
  results.map(({ code }) => code).toSorted((a, b) => a - b);
