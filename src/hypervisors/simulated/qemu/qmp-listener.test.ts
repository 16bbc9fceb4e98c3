import { createConnection } from 'node:net';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { QmpConnection } from '../../qemu/qmp/index.ts';
import { QemuHypervisor } from '../../qemu/index.ts';
import { simulatedMachines } from './recordings.ts';
import { startSimulatedQemu } from './start.ts';

const limits = { timeoutMs: 15_000 };

test('one client at a time: the next is greeted when the first has left', async () => {
  await using qemu = await startSimulatedQemu();
  const first = await QmpConnection.connect(qemu.socket, limits);
  const second = createConnection(qemu.socket);
  let heard = '';
  second.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  await once(second, 'connect');
  await first.execute('query-status', {}, limits);
  expect(heard).toBe('');
  const greeted = once(second, 'data');
  await first.close();
  await greeted;
  expect(heard).toContain('"QMP"');
  second.destroy();
});

test('clients that die in the middle of a line, or while they wait, harm nobody', async () => {
  await using qemu = await startSimulatedQemu();
  for (const text of ['', '{', '{"execute":"qmp_capabilities"}{"execute":"st']) {
    const [one, waits] = [createConnection(qemu.socket), createConnection(qemu.socket)];
    await Promise.all([once(one, 'connect'), once(waits, 'connect')]);
    waits.destroy();
    if (text !== '') one.write(text);
    one.destroy();
  }
  await using client = await QmpConnection.connect(qemu.socket, limits);
  expect(await client.execute('query-status', {}, limits)).toMatchObject({ status: 'running' });
});

test.each(simulatedMachines)('%s: the driver finds its buses, and what is on them', async (machine) => {
  await using qemu = await startSimulatedQemu({ machine, ports: 2, memorySlots: 2 });
  await using hypervisor = await QemuHypervisor.connect(qemu.socket, limits);
  const buses = await hypervisor.buses(limits);
  const takes = buses.filter(({ refuses }) => refuses === undefined).map(({ name }) => name);
  const expected = {
    q35: ['memory', 'port0', 'port1', 'scsi0.0'],
    'q35-native': ['memory', 'port0', 'port1', 'scsi0.0'],
    pc: ['memory', 'pci.0', 'scsi0.0'],
    s390x: ['scsi0.0', 'virtual-css'],
    virt: ['memory', 'port0', 'port1', 'scsi0.0'],
  };
  const memory = buses.find(({ transport }) => transport === 'memory');
  expect(takes.filter((name) => name !== 'memory').toSorted()).toEqual(
    expected[machine].filter((name) => name !== 'memory'),
  );
  if (machine !== 's390x') expect(memory?.capacity).toBe(2);
  const port = buses.find(({ name }) => name === 'port0');
  const [place] = port?.places ?? [];
  expect(place?.unplug).toBe(machine === 'q35' ? 'acpi' : port === undefined ? undefined : 'pcie-native');
  expect((await hypervisor.inventory(limits)).devices).toContain('scsi0');
});
