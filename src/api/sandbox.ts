import type { HypervisorType } from './device-type.ts';
import type { VmmFacts } from './hypervisor.ts';
import type { ProcessIdentity } from './operation.ts';

/** One VM that vmplug knows. */
export interface SandboxRecord {
  readonly name: string;
  readonly hypervisor: HypervisorType;
  /** The UNIX socket of the VMM's API, absolute. */
  readonly socket: string;
  /** `run`: vmplug started it and may stop it. `adopted`: it is somebody else's. */
  readonly origin: 'run' | 'adopted';
  /** The boot of this host in which it was made known: after the next one its VM has ended. */
  readonly boot?: string;
  /** The VMM's process, where it could be found. */
  readonly process?: ProcessIdentity;
  /** Another program listens on the socket, and passes on what the VMM says: its end says nothing of the VM's. */
  readonly passedOn?: true;
  /**
   * Of a VM that vmplug is starting, which process does; gone once the VM is up with all its devices.
   * `process` is kept before anything of the VMM runs: without one there is no VMM.
   */
  readonly starter?: ProcessIdentity;
  /** The folder with the sockets and logs of a VM that vmplug started. */
  readonly directory?: string;
  /** The socket over which the guest takes commands, when the lab guest runs in it. */
  readonly execSocket?: string;
  readonly facts: VmmFacts;
  /** Unix milliseconds. */
  readonly createdAt: number;
}
