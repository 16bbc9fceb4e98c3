import { expect, test } from 'vitest';
import { qemuArguments, stoppedArguments, type QemuMachine } from './command-line.ts';

const vm: QemuMachine = {
  name: 'vm',
  machine: 'q35',
  ports: 2,
  memory: '256M',
  kernel: '/k',
  accel: 'tcg',
  qmpSocket: '/run/qmp.sock',
  consoleLog: '/run/console.log',
  execSocket: '/run/exec.sock',
};
const after = (args: string[], option: string): string[] =>
  args.filter((_, index) => args[index - 1] === option);
const ports = (count: number): Record<string, unknown>[] =>
  after(qemuArguments({ ...vm, ports: count }), '-device')
    .map((text) => JSON.parse(text) as Record<string, unknown>)
    .filter(({ driver }) => driver === 'pcie-root-port');

test('commas in names and paths are doubled: what follows them is no option', () => {
  const args = qemuArguments({
    ...vm,
    name: 'a,debug-threads=on',
    qmpSocket: '/r,un/q',
    consoleLog: '/c,on',
    execSocket: '/e,x',
    kernel: '/boot/k,1',
  });
  expect(after(args, '-name')).toEqual(['a,,debug-threads=on']);
  expect(after(args, '-qmp')).toEqual(['unix:/r,,un/q,server=on,wait=off']);
  expect(after(args, '-serial')).toEqual(['file:/c,,on', 'unix:/e,,x,server=on,wait=off']);
  expect(after(args, '-kernel')).toEqual(['/boot/k,1']);
});

test('a slot for each port while there are enough, functions beyond, addresses and chassis never twice', () => {
  expect(ports(2).map(({ addr, multifunction }) => [addr, multifunction])).toEqual([
    ['2.0', false],
    ['3.0', false],
  ]);
  for (const count of [28, 29, 100, 224]) {
    const made = ports(count);
    expect(made).toHaveLength(count);
    for (const key of ['addr', 'id', 'chassis'])
      expect(new Set(made.map((port) => port[key])).size).toBe(count);
    const slots = made.map(({ addr }) => Number.parseInt(String(addr), 16));
    expect(Math.min(...slots)).toBe(2);
    expect(Math.max(...slots)).toBeLessThan(0x1e);
  }
  expect(ports(0)).toEqual([]);
});

test('pc has no ports, kvm is asked for by name, the initrd and what is appended are passed on', () => {
  const args = qemuArguments({ ...vm, machine: 'pc', ports: 9, accel: 'kvm', initrd: '/i', append: 'foo=1' });
  expect(after(args, '-device')).toHaveLength(1);
  expect(after(args, '-accel')).toEqual(['kvm']);
  expect(after(args, '-initrd')).toEqual(['/i']);
  expect(after(args, '-append')).toEqual(['console=ttyS0 panic=-1 quiet foo=1']);
});

test.each([
  [{ ports: 225 }],
  [{ ports: -1 }],
  [{ ports: 1.5 }],
  [{ memory: '256' }],
  [{ memory: '0M' }],
  [{ memory: '1G,slots=2' }],
])('refused: %j', (wrong) => {
  expect(() => qemuArguments({ ...vm, ...wrong })).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});

test('s390-ccw-virtio: its own console, its SCSI controller, and a port for commands, as channel devices', () => {
  const args = qemuArguments({ ...vm, machine: 's390-ccw-virtio', ports: 9 });
  expect(after(args, '-machine')).toEqual(['s390-ccw-virtio']);
  expect(after(args, '-append')).toEqual(['console=ttysclp0 panic=-1 quiet']);
  expect(after(args, '-serial')).toEqual(['file:/run/console.log']);
  expect(after(args, '-device').map((text) => JSON.parse(text) as unknown)).toEqual([
    { driver: 'virtio-scsi-ccw', id: 'scsi0', devno: 'fe.0.0000' },
    { driver: 'virtio-serial-ccw', id: 'exec', devno: 'fe.1.0000' },
    { driver: 'virtserialport', bus: 'exec.0', chardev: 'exec', name: 'vmplug.exec' },
  ]);
  expect(after(args, '-chardev')).toEqual(['socket,id=exec,path=/run/exec.sock,server=on,wait=off']);
});

test('virt: root ports, a CPU that is quick to emulate, one serial port, and a port for commands', () => {
  const args = qemuArguments({ ...vm, machine: 'virt', ports: 2 });
  expect(after(args, '-machine')).toEqual(['virt']);
  expect(after(args, '-cpu')).toEqual(['cortex-a57']);
  expect(after(qemuArguments({ ...vm, machine: 'virt', accel: 'kvm' }), '-cpu')).toEqual(['max']);
  expect(after(args, '-append')).toEqual(['console=ttyAMA0 panic=-1 quiet']);
  expect(after(args, '-serial')).toEqual(['file:/run/console.log']);
  const devices = after(args, '-device').map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(devices.map(({ driver, addr }) => [driver, addr])).toEqual([
    ['pcie-root-port', '2.0'],
    ['pcie-root-port', '3.0'],
    ['virtio-scsi-pci', '1e'],
    ['virtio-serial-pci', '1'],
    ['virtserialport', undefined],
  ]);
});

test('native hot-plug is asked for on q35, and refused where it is all there is or where there is none', () => {
  const native = { ...vm, nativeHotplug: true };
  expect(after(qemuArguments(native), '-global')).toEqual([
    'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off',
  ]);
  expect(after(qemuArguments(vm), '-global')).toEqual([]);
  for (const machine of ['pc', 'virt', 's390-ccw-virtio'] as const) {
    expect(() => qemuArguments({ ...native, machine })).toThrow(
      expect.objectContaining({ code: 'invalid-argument', subject: machine }),
    );
  }
});

test('the firmware leaves the disks alone: its driver would be taken for the guest’s', () => {
  expect(after(qemuArguments(vm), '-boot')).toEqual(['strict=on']);
});

test('what is started to be asked has the machine and the buses, its CPUs stopped, and nothing else', () => {
  const args = stoppedArguments(vm);
  const whole = qemuArguments(vm);
  expect(args).toContain('-S');
  for (const option of ['-machine', '-m', '-device', '-global', '-qmp', '-accel', '-cpu'])
    expect(after(args, option)).toEqual(after(whole, option));
  for (const option of ['-kernel', '-append', '-serial', '-chardev']) expect(args).not.toContain(option);
});

test('W06: devices that it has from the start come after the buses that they sit on', () => {
  const device = { driver: 'vfio-pci', id: 'd0', bus: 'port1', addr: '00', host: '0000:02:00.0' };
  const coldPlug = [
    {
      vmmId: 'd0',
      steps: [
        {
          summary: 'plug the device',
          run: { execute: 'device_add', arguments: device },
          undo: { execute: 'device_del', arguments: { id: 'd0' } },
        },
      ],
    },
  ];
  const devices = after(qemuArguments({ ...vm, coldPlug }), '-device');
  expect(JSON.parse(devices.at(-1) ?? '')).toEqual(device);
  expect(devices).toHaveLength(after(qemuArguments(vm), '-device').length + 1);
});
