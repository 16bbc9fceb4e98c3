import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../api/json.ts';
import type { Command } from '../../api/plan.ts';
import { add, connected, limits, outcomes, refusals, unplug } from './commands.testing.ts';
import { everyBus, SimulatedMachine, type HostFunctionState } from './index.ts';

const nic = '0000:3b:00.0';
const mdev = '/sys/bus/mdev/devices/a0b1c2d3-0000-4000-8000-000000000001';
const pci = (id: string, port: number, more: JsonObject): Command =>
  add('vfio-pci', id, { bus: `port${port}`, addr: '00', romfile: '', ...more });
const matrix = (id: string, more: JsonObject = {}): Command =>
  add('vfio-ap', id, { sysfsdev: mdev, ...more });
const everyKind = (functions?: HostFunctionState[]): SimulatedMachine =>
  new SimulatedMachine({ buses: everyBus(), ...(functions === undefined ? {} : { functions }) });

describe('PCI functions', () => {
  test('enumerated at best, and given back', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, pci('a', 2, { host: nic }))).toEqual(['ok']);
    const place = machine.device('a')?.place ?? expect.fail('no device');
    const seen = {
      present: true,
      evidence: 'enumerated',
      best: 'enumerated',
      guest: { pci: '0000:03:00.0' },
    };
    expect(await hypervisor.observe('a', place, limits)).toEqual(seen);
    machine.advance('a', 'live');
    expect(await hypervisor.observe('a', place, limits)).toEqual(seen);
    expect(await hypervisor.inventory(limits)).toEqual({ devices: ['a'], backends: [] });
    expect(refusals(machine, unplug('a'), pci('b', 2, { host: nic }))).toEqual(['ok', 'ok']);
  });

  test('one function is plugged once, however it is named', () => {
    const machine = everyKind();
    expect(
      refusals(
        machine,
        pci('a', 0, { host: nic }),
        pci('b', 1, { host: '3b:00.0' }),
        pci('b', 1, { sysfsdev: `/sys/devices/pci0000:3a/${nic}` }),
        pci('b', 1, { host: `0001:${nic.slice(5)}` }),
        pci('c', 2, { sysfsdev: mdev }),
        pci('d', 3, { sysfsdev: mdev }),
      ),
    ).toEqual([
      'ok',
      `vfio ${nic}: device is already attached`,
      `vfio ${nic}: device is already attached`,
      'ok',
      'ok',
      `vfio ${mdev.slice(mdev.lastIndexOf('/') + 1)}: device is already attached`,
    ]);
  });

  test('only what the host has and lets it open', () => {
    const machine = everyKind([
      { address: nic, group: 10 },
      { address: '0000:3b:00.1', group: 10, fails: 'not viable' },
      { address: '0000:3c:00.0', group: 11, fails: 'No such file or directory' },
    ]);
    const plugged = (address: string): Command => pci('a', 0, { host: address });
    expect(
      refusals(
        machine,
        plugged('0000:99:00.0'),
        plugged('0000:3b:00.1'),
        plugged('0000:3c:00.0'),
        plugged('zz'),
        pci('a', 0, {}),
        plugged(nic),
      ),
    ).toEqual([
      'vfio /sys/bus/pci/devices/0000:99:00.0: no such host device: No such file or directory',
      'vfio 0000:3b:00.1: group 10 is not viable',
      'vfio 0000:3c:00.0: failed to open /dev/vfio/11: No such file or directory',
      "Property 'vfio-pci.host' doesn't take value 'zz'",
      'No provided host device',
      'ok',
    ]);
    machine.backEnds.functions.put({ address: '0000:3c:00.0', group: 11 });
    expect(refusals(machine, pci('b', 1, { host: '0000:3c:00.0' }))).toEqual(['ok']);
  });

  test('a place that is taken leaves the function free', () => {
    const machine = everyKind();
    expect(
      refusals(
        machine,
        pci('a', 0, { sysfsdev: mdev }),
        pci('b', 0, { host: nic }),
        pci('b', 1, { host: nic }),
      ),
    ).toEqual(['ok', 'PCI: slot 0 function 0 not available for vfio-pci, in use by vfio-pci,id=a', 'ok']);
  });
});

describe('AP matrices', () => {
  test('a VM has one, acknowledged at best, until it is removed at once', async () => {
    const machine = everyKind();
    const hypervisor = connected(machine);
    expect(await outcomes(hypervisor, matrix('a'))).toEqual(['ok']);
    const place = machine.device('a')?.place ?? expect.fail('no device');
    expect(await hypervisor.observe('a', place, limits)).toEqual({
      present: true,
      evidence: 'acknowledged',
      best: 'acknowledged',
      guest: {},
    });
    const second = hypervisor.submit([matrix('b'), matrix('b', { bus: 'ap-bus' })], limits);
    for (const reply of await Promise.allSettled(second)) {
      expect(reply.status === 'rejected' && hypervisor.isPlaceTaken(reply.reason)).toBe(true);
    }
    expect(machine.log.slice(-2).map(({ refused }) => refused)).toEqual([
      "No 'ap-bus' bus found for device 'vfio-ap'",
      "Bus 'ap-bus' is full",
    ]);
    machine.guest = { ...machine.guest, onUnplug: 'ignores' };
    expect(refusals(machine, unplug('a'), matrix('b'))).toEqual(['ok', 'ok']);
  });

  test('one that the host does not have', () => {
    expect(refusals(everyKind([]), matrix('a'))).toEqual([
      `vfio-ap: no iommu_group found for ${mdev}: No such file or directory`,
    ]);
    expect(refusals(new SimulatedMachine(), matrix('a'))).toEqual([
      "No 'ap-bus' bus found for device 'vfio-ap'",
    ]);
  });
});
