/** A VM without a VM, for tests of what is built on vmplug. */
export type { Fault, FaultKind, FaultTarget, RefusalMeaning } from './faults.ts';
export { rootPorts, type SimulatedBus } from './simulated-buses.ts';
export { SimulatedHypervisor } from './simulated-hypervisor.ts';
export {
  SimulatedMachine,
  simulatedFacts,
  type GuestBehaviour,
  type SimulatedDevice,
  type SimulatedMachineOptions,
} from './simulated-machine.ts';
