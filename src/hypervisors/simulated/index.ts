/** A VM without a VM, for tests of what is built on vmplug. */
export type { Fault, FaultKind, FaultTarget, RefusalMeaning } from './faults.ts';
export type { HostFunctionState } from './host-functions.ts';
export type { GuestBehaviour, SimulatedDevice, SimulatedMachineOptions } from './machine-options.ts';
export { RealClock, VirtualClock, type Clock } from './qemu/clock.ts';
export type { GuestSettings } from './qemu/guest.ts';
export { holdAt, type HeldPoint, type PointMatch } from './qemu/hold-point.ts';
export type { AtPoint, MessagePoint, MessagePoints } from './qemu/message-points.ts';
export type { SimulatedQemu, SimulatedQemuOptions } from './qemu/simulated-qemu.ts';
export { startSimulatedQemu, type StartedSimulatedQemu } from './qemu/start.ts';
export type { SimulatedBus } from './simulated-bus.ts';
export { everyBus, rootPorts } from './simulated-buses.ts';
export { factsWithout, simulatedFacts } from './simulated-facts.ts';
export { SimulatedHypervisor } from './simulated-hypervisor.ts';
export { SimulatedMachine } from './simulated-machine.ts';
