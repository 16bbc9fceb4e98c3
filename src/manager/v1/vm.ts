import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HypervisorType } from '../../api/device-type.ts';
import { VmplugError } from '../../api/errors.ts';
import { buildSocketPath } from '../../api/names.ts';
import type { ProcessIdentity } from '../../api/operation.ts';
import { commandLine, processIdentity } from '../../host/process-identity.ts';
import { socketOwner } from '../../host/unix-socket-owner.ts';
import type { SandboxState } from '../../store/v1/documents.ts';

/** What v1's state says of the VM itself. */
export interface V1Vm {
  readonly type: HypervisorType;
  /** QEMU's machine type as v1 was told it: `q35`; empty where it was not. */
  readonly machine: string;
  /** Where v1 put the socket of the VMM's API. */
  readonly socket: string;
  /** The process behind the socket, or the one that v1 noted, if it runs and is still that one. */
  readonly process?: ProcessIdentity;
}

const types: readonly HypervisorType[] = ['qemu', 'clh', 'firecracker', 'acrn', 'mock'];

/** v1's root when a document does not lie in its layout. */
const usualRoot = '/run/vc';

/** @throws VmplugError `invalid-state` for a VMM that v1 does not have; `invalid-argument` for too long a path */
export async function findV1Vm(
  state: SandboxState,
  document: string,
  root: string = usualRoot,
): Promise<V1Vm> {
  const type = hypervisorOf(state, document);
  const socket = buildSocketPath(socketOf(type, state, root));
  const owner = existsSync(socket) ? await socketOwner(socket) : undefined;
  const found = owner ?? notedProcess(state);
  const machine = state.Config.HypervisorConfig['HypervisorMachineType'];
  return {
    type,
    machine: typeof machine === 'string' ? machine : '',
    socket,
    ...(found === undefined ? {} : { process: { pid: found.pid, startTime: found.startTime } }),
  };
}

/** A number may be another's by now; v1 names the sandbox in what it starts, in Firecracker 32 bytes of it. */
function notedProcess({
  HypervisorState: { Pid },
  SandboxContainer,
}: SandboxState): ProcessIdentity | undefined {
  return commandLine(Pid).includes(SandboxContainer.slice(0, 32)) ? processIdentity(Pid) : undefined;
}

/** A stopped QEMU leaves its own state empty; then the settings say it, and last v1's default. */
function hypervisorOf({ HypervisorState, Config }: SandboxState, document: string): HypervisorType {
  const said = HypervisorState.Type || Config.HypervisorType || 'qemu';
  const known = types.find((type) => type === said);
  if (known !== undefined) return known;
  const path = HypervisorState.Type === '' ? '$.Config.HypervisorType' : '$.HypervisorState.Type';
  throw new VmplugError('invalid-state', {
    action: 'read the saved state',
    subject: document,
    reason: `${path}: ${said} is none of the VMMs of v1 (${types.join(', ')})`,
    facts: { path, document },
  });
}

/** Contract sections 6.4, 6.7 and 6.8. */
function socketOf(type: HypervisorType, state: SandboxState, root: string): string {
  const sid = state.SandboxContainer;
  const directory = join(root, 'vm', sid);
  switch (type) {
    case 'clh':
      return state.HypervisorState.APISocket || join(directory, 'clh-api.sock');
    case 'firecracker':
      return join(root, 'firecracker', sid.slice(0, 32), 'root/run/firecracker.socket');
    case 'qemu':
    case 'acrn':
    case 'mock':
      return join(directory, 'qmp.sock');
  }
}
