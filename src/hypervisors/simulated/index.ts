/** A VM without a VM, for tests of what is built on vmplug. */
export type { Fault, FaultKind, FaultTarget, RefusalMeaning } from './faults.ts';
export {
  simulatedFacts,
  type GuestBehaviour,
  type SimulatedDevice,
  type SimulatedMachineOptions,
} from './machine-options.ts';
export { rootPorts, type SimulatedBus } from './simulated-buses.ts';
export { SimulatedHypervisor } from './simulated-hypervisor.ts';
export { SimulatedMachine } from './simulated-machine.ts';
