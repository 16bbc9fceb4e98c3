import type { VmplugError } from '../../api/errors.ts';
import type { SandboxRecord } from '../../api/sandbox.ts';
import { releaseAll } from '../../operations/settle.ts';
import { lifeSoon } from '../../sandbox/life.ts';
import type { Store } from '../../store/store.ts';
import { stoppedProcess } from '../stopped-process.ts';
import { person, repairs, type Finding } from './finding.ts';

/** What follows from a VM that has ended, that cannot be reached, or in whose place another one answers. */
export async function examineLost(
  store: Store,
  sandbox: SandboxRecord,
  error: VmplugError,
  repair: boolean,
): Promise<Finding[]> {
  const { name } = sandbox;
  const devices = store.read((tx) => tx.attachments(name)).length;
  // It is being started: nothing is off.
  if (error.code === 'operation-in-progress') return [];
  if (error.code === 'vm-replaced') return [replaced(sandbox, error, devices)];
  // A connection that is lost on the way, and a socket that is gone by then, say nothing of its process.
  const isGone = error.code === 'vm-gone';
  const hasEnded = isGone && (error.facts['ended'] === true || (await lifeSoon(sandbox)) === 'ended');
  if (!hasEnded) return [unreachable(sandbox, error)];
  if (repair) releaseAll({ store, sandbox });
  return [ended(name, devices, repair)];
}

function ended(name: string, devices: number, repaired: boolean): Finding {
  return {
    problem: 'vm-ended',
    sandbox: name,
    what: `its VM has ended; ${devices} of our devices were in it`,
    remedy: `${devices === 0 ? 'nothing is held any more' : 'everything that they held is freed'}; vmplug sandbox forget ${name} removes the record`,
    plan: [
      ...(devices === 0
        ? []
        : [
            repairs(`free the places and claims of its ${devices} devices, and give their IOMMU groups back`),
          ]),
      person(`vmplug sandbox forget ${name}, when its record is of no more use`),
    ],
    truths: { recorded: `${devices} devices`, vmm: 'ended' },
    repaired,
  };
}

function replaced({ name, process }: SandboxRecord, { reason, hint }: VmplugError, devices: number): Finding {
  return {
    problem: 'vm-replaced',
    sandbox: name,
    what: reason,
    why: 'what the first VM held may still be in use, and the one that answers is not asked',
    remedy: hint ?? 'end the first VM',
    plan: [
      person(process === undefined ? 'end the first VM' : `end process ${process.pid}, the first VM`),
      person('vmplug doctor --repair, which frees what it held then'),
      person(`vmplug sandbox forget ${name}, and adopt the VM that is there`),
    ],
    truths: { recorded: `${devices} devices`, vmm: 'another one' },
    repaired: false,
  };
}

function unreachable(sandbox: SandboxRecord, { reason, hint }: VmplugError): Finding {
  const pid = stoppedProcess(sandbox);
  const remedy = hint ?? 'make its socket reachable again';
  return {
    problem: 'vm-unreachable',
    sandbox: sandbox.name,
    what: reason,
    ...(pid === undefined ? {} : { why: `its process ${pid} is stopped (SIGSTOP, or a debugger holds it)` }),
    remedy,
    plan: pid === undefined ? [person(remedy)] : [person(`kill -CONT ${pid}`), person('vmplug doctor')],
    truths: { vmm: 'does not answer', ...(pid === undefined ? {} : { host: `process ${pid} stopped` }) },
    repaired: false,
  };
}
