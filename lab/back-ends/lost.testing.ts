import { expect } from 'vitest';
import { tellVmm } from '../errors.testing.ts';
import type { Lab } from '../harness.ts';
import { inGuest, type Device, type Served } from './served.testing.ts';

/** The character devices of a VM that vmplug made. */
export async function chardevs(lab: Lab, vm: string): Promise<string[]> {
  const [list] = await tellVmm(lab.sandbox(vm).socket, ['query-chardev']);
  return (list as { label: string }[])
    .map(({ label }) => label)
    .filter((label) => label.startsWith('vmplug-'));
}

/** Attaches what is served, and {@link backEndOfDies}. */
export async function backEndDies(lab: Lab, vm: string, served: Served): Promise<void> {
  const device = await lab.ok<Device>('attach', vm, ...served.attach, '--timeout', '60s');
  await backEndOfDies(lab, vm, served, device);
}

/**
 * Uses a device that is in the VM, kills its back end, and sees that every view of the device says so, that the
 * guest still lets go of it, and that VM and guest live on.
 */
export async function backEndOfDies(lab: Lab, vm: string, served: Served, device: Device): Promise<void> {
  await served.use(vm, device);
  expect(await lab.ok('inspect', device.id)).toMatchObject({ observed: { backend: 'connected' } });

  await served.backEnd.kill();
  await expect
    .poll(() => lab.ok('inspect', device.id), { timeout: 20_000 })
    .toMatchObject({ state: 'attached', observed: { present: true, backend: 'lost' } });
  const doctor = await lab.vmplug('doctor', '--json');
  expect(doctor.json()).toMatchObject({
    ok: false,
    findings: [{ problem: 'backend-lost', sandbox: vm, device: device.id, repaired: false }],
  });

  expect(await lab.ok<Device>('detach', vm, device.id, '--timeout', '60s')).toMatchObject({
    state: 'released',
  });
  expect(await chardevs(lab, vm)).toEqual([]);
  await inGuest(lab, vm, 'true');
}
