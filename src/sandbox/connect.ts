import { hasCode, VmplugError } from '../api/errors.ts';
import type { ExchangeOptions, Hypervisor } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { QemuHypervisor } from '../hypervisors/qemu/index.ts';
import { isStarting, lifeOf, lifeSoon } from './life.ts';

/**
 * Connects to the VMM of a sandbox.
 * @throws VmplugError `vm-gone` when the VM has surely ended; `outcome-unknown` when it cannot
 * be reached and may still run; `vm-replaced` when it may, and another one answers on its socket; `operation-in-progress` while it is being started; `monitor-busy`, `not-qmp`
 */
export async function connectSandbox(
  sandbox: SandboxRecord,
  options: ExchangeOptions & { readonly patienceMs?: number | undefined },
): Promise<Hypervisor> {
  if (lifeOf(sandbox) === 'ended') throw gone(sandbox);
  try {
    return await QemuHypervisor.connect(sandbox.socket, { ...options, facts: sandbox.facts });
  } catch (error) {
    if (!hasCode(error, 'vm-gone', 'vm-replaced')) throw error;
    // A process that has just been killed closes its sockets a little before it is gone.
    const life = await lifeSoon(sandbox);
    // A VMM listens for as long as it runs.
    const isClosed = life === 'unknown' && sandbox.passedOn !== true && error.facts['reason'] === 'refused';
    if (life === 'ended' || isClosed) throw gone(sandbox, error);
    if (error.code === 'vm-replaced') throw replaced(sandbox, error);
    throw isStarting(sandbox) ? beingStarted(sandbox, 'reach the VM of', error) : unreachable(sandbox, error);
  }
}

function gone(sandbox: SandboxRecord, cause?: unknown): VmplugError {
  const pid = sandbox.process === undefined ? '' : ` (its process was ${sandbox.process.pid})`;
  return new VmplugError('vm-gone', {
    action: 'reach the VM of',
    subject: sandbox.name,
    reason: `it has ended${pid}`,
    facts: { ended: true },
    hint: `what it held is free again; vmplug sandbox forget ${sandbox.name} removes the record`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Its VM is not up yet. */
export function beingStarted(sandbox: SandboxRecord, action: string, cause?: unknown): VmplugError {
  return new VmplugError('operation-in-progress', {
    action,
    subject: sandbox.name,
    reason: `process ${sandbox.starter?.pid ?? '(unknown)'} is starting it`,
    hint: 'wait until it is up, or end that process',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The other one is not touched, and what the first one had stays reserved: it may still use it. */
function replaced({ name, socket, process }: SandboxRecord, cause: VmplugError): VmplugError {
  const first = process === undefined ? 'may still run' : `still runs (process ${process.pid})`;
  const end =
    process === undefined
      ? `end it, and vmplug sandbox forget ${name} --force frees what it held`
      : `end process ${process.pid}, and vmplug doctor --repair frees what it held`;
  return new VmplugError('vm-replaced', {
    action: 'reach the VM of',
    subject: name,
    reason: `another VM answers on ${socket}, and the one that was there ${first} where nobody can reach it`,
    hint: `${end}; the VM that is there is another sandbox: vmplug sandbox forget ${name}, then adopt it`,
    facts: process === undefined ? {} : { pid: process.pid },
    cause,
  });
}

function unreachable(sandbox: SandboxRecord, cause: VmplugError): VmplugError {
  return new VmplugError('outcome-unknown', {
    action: 'reach the VM of',
    subject: sandbox.name,
    reason: `nobody answers on ${sandbox.socket}, and whether the VM still runs cannot be told`,
    hint: `if it has moved: vmplug sandbox adopt again under another name; if it has ended: vmplug sandbox forget ${sandbox.name}${sandbox.process === undefined ? ' --force' : ''}`,
    cause,
  });
}
