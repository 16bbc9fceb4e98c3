import { expect, it } from 'vitest';
import { addNvme } from './devices.ts';
import { driverOf } from './functions.ts';
import { innerMonitor } from './machine.ts';
import { until } from './outer.ts';
import { useLibrary } from './use-library.ts';
import { useOuter } from './use-outer.ts';

// A machine of its own: after functions were pulled out of it, its kernel may never come back from this one.
const outer = useOuter();
const vmplug = useLibrary(outer);

it('a device that vanishes while the VM is paused: it stays until the VM goes on, and then it is settled', async () => {
  const { address } = await addNvme(outer(), { port: 2 });
  const device = await vmplug().attach('inner', `vfio:${address}`);
  await vmplug().tell(innerMonitor, 'stop');
  await using atTheEnd = new AsyncDisposableStack();
  atTheEnd.defer(async () => void (await vmplug().tell(innerMonitor, 'cont')));
  const writer = await outer().sh(
    `setsid sh -c 'echo 1 >/sys/bus/pci/devices/${address}/remove' >/dev/null 2>&1 & echo $!`,
  );

  await expect(vmplug().detach('inner', device.id, 5000)).rejects.toMatchObject({ code: 'vm-paused' });
  // The kernel has taken it from its driver, which waits for the VM.
  expect(await driverOf(outer(), address)).toBe('none');
  expect(await vmplug().list()).toMatchObject([{ id: device.id }]);

  await atTheEnd.disposeAsync();
  await outer().sh(`while kill -0 ${writer} 2>/dev/null; do sleep 0.1; done`);
  expect(await driverOf(outer(), address)).toBe('gone');
  // The host has it back a moment before QEMU says that it has let go.
  await until('the records follow', async () => {
    await vmplug().doctor(true);
    return (await vmplug().list()).length === 0;
  });
  expect(await vmplug().doctor()).toEqual([]);
});
