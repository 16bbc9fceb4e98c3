import { readdirSync } from 'node:fs';
import { expect } from 'vitest';
import type { AttachmentRecord } from '../../api/attachment.ts';
import { ownPrefix } from '../../api/names.ts';
import { placeKey } from '../../api/place.ts';
import { backendNames, unitsOf } from '../../api/plan.ts';
import { SqliteStore } from '../../store/sqlite-store.ts';
import type { Claims, Transaction } from '../../store/store.ts';
import { leasedBinding, nativeBinding, type World } from './world.testing.ts';

/**
 * The one invariant: store, VMM and host agree, nothing is without an owner, no operation is left half done, and
 * nothing was done twice.
 * @returns what is recorded
 */
export function expectAgreement(world: World): AttachmentRecord[] {
  using store = SqliteStore.open(world.stateDir);
  const records = store.read((tx) => {
    const found = tx.attachments();
    expectOwned(tx, world, found);
    return found;
  });
  expectSameDevices(world, records);
  expectBindings(world, records);
  expectNothingTwice(world);
  const files = readdirSync(world.stateDir).filter((name) => !/^vmplug\.db(-wal|-shm|\.backup)?$/.test(name));
  expect(files, 'files in the state directory').toEqual([]);
  return records;
}

/** Every place, claim and lease belongs to a record, every record has its own, and nobody is said to work. */
function expectOwned(tx: Transaction & Claims, world: World, records: readonly AttachmentRecord[]): void {
  const places = records.flatMap((record) => unitsOf(record).map(({ place }) => placeKey(place)));
  expect([...tx.takenPlaces(world.sandbox)].sort(), 'places given out').toEqual(places.sort());
  const keys = records.flatMap(({ host }) => host.identities.map(({ key }) => key));
  const known = new Set(records.map(({ id }) => id));
  for (const key of keys) {
    expect(known, `who holds ${key}`).toContain(tx.holders(key)[0]?.device);
  }
  const running = tx.operations({}).filter(({ state }) => state === 'running');
  expect(running, 'operations that are said to run').toEqual([]);
  const half = records.filter(({ state }) => state === 'attaching' || state === 'unknown');
  expect(half, 'attachments of which nobody knows').toEqual([]);
  const leased = world.sysfs === undefined ? [] : records.map(({ id }) => id);
  expect(
    tx.leases().map(({ device }) => device),
    'leases',
  ).toEqual(leased);
}

/** The VM has what is recorded, and of ours nothing else. */
function expectSameDevices({ qemu }: World, records: readonly AttachmentRecord[]): void {
  const { machine } = qemu.vm;
  const ours = machine.devices.map(({ id }) => id).filter((id) => id.startsWith(ownPrefix));
  const recorded = records.flatMap((record) => unitsOf(record).map(({ vmmId }) => vmmId));
  // Of a group that is on its way out a part may have left.
  const isWhole = records.every(({ state }) => state !== 'detaching');
  if (isWhole) expect(ours.sort(), 'devices in the VM').toEqual(recorded.sort());
  else expect(recorded, 'devices in the VM').toEqual(expect.arrayContaining(ours));
  const backEnds = machine.backEnds.names.filter((name) => !name.endsWith('-f'));
  const planned = records.flatMap(({ plan }) => backendNames(plan));
  expect(backEnds.sort(), 'back ends in the VM').toEqual([...new Set(planned)].sort());
}

function expectBindings(world: World, records: readonly AttachmentRecord[]): void {
  const expected = records.length > 0 ? leasedBinding : nativeBinding;
  for (const binding of world.bindings()) expect(binding, 'driver of a function').toBe(expected);
}

/** A function is never in the VM while this host has a driver on it. */
export function isBoundAsPlugged(world: World): boolean {
  const isPlugged = world.qemu.vm.machine.devices.some(({ model }) => model === 'vfio-pci');
  return !isPlugged || world.bindings().every((binding) => binding === leasedBinding);
}

/** What makes something is said once for each name, and never a second time. */
function expectNothingTwice({ qemu }: World): void {
  const made = qemu.vm.machine.log
    .filter(({ command }) => /[-_]add$/.test(command.execute))
    .map(({ command }) => `${command.execute} ${JSON.stringify(command.arguments)}`);
  expect(made, 'commands that make something').toEqual([...new Set(made)]);
}
