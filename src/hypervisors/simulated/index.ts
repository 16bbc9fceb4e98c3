/** A VM without a VM, for tests of what is built on vmplug. */
export type { Fault, FaultKind, FaultTarget, RefusalMeaning } from './faults.ts';
export type { HostFunctionState } from './host-functions.ts';
export type { GuestBehaviour, SimulatedDevice, SimulatedMachineOptions } from './machine-options.ts';
export { everyBus, rootPorts, type SimulatedBus } from './simulated-buses.ts';
export { factsWithout, simulatedFacts } from './simulated-facts.ts';
export { SimulatedHypervisor } from './simulated-hypervisor.ts';
export { SimulatedMachine } from './simulated-machine.ts';
