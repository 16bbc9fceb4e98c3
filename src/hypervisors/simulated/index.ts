/** A VM without a VM, for tests of what is built on vmplug. */
export type { Fault, FaultKind, FaultTarget, RefusalMeaning } from './faults.ts';
export type { HostFunctionState } from './host-functions.ts';
export type { GuestBehaviour, SimulatedDevice, SimulatedMachineOptions } from './machine-options.ts';
export type { SimulatedBus } from './simulated-bus.ts';
export { everyBus, rootPorts } from './simulated-buses.ts';
export { factsWithout, simulatedFacts } from './simulated-facts.ts';
export { SimulatedHypervisor } from './simulated-hypervisor.ts';
export { SimulatedMachine } from './simulated-machine.ts';
