import { MockDeviceReceiver } from '../../src/api/mock-device-receiver.ts';
import type { SandboxDeviceManager } from '../../src/manager/devices/device-manager.ts';
import type { CallSamples } from './cases.ts';
import { disk } from './devices.ts';

/** Makes, attaches, detaches and removes disk `minor`, `cycles` times. */
export async function runCycles(
  manager: SandboxDeviceManager,
  minor: number,
  cycles: number,
): Promise<CallSamples> {
  const receiver = new MockDeviceReceiver();
  const samples: CallSamples = { new: [], attach: [], detach: [], remove: [] };
  const request = disk(minor);
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const start = performance.now();
    const device = await manager.newDevice(request);
    const made = performance.now();
    const id = device.deviceID();
    await manager.attachDevice(id, receiver);
    const attached = performance.now();
    await manager.detachDevice(id, receiver);
    const detached = performance.now();
    await manager.removeDevice(id);
    const removed = performance.now();
    samples.new.push(microseconds(made - start));
    samples.attach.push(microseconds(attached - made));
    samples.detach.push(microseconds(detached - attached));
    samples.remove.push(microseconds(removed - detached));
  }
  return samples;
}

function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6) / 1e3;
}
