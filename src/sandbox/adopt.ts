import { resolve } from 'node:path';
import { VmplugError } from '../api/errors.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import { buildSocketPath, checkSandboxName } from '../api/names.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { isThreadOfAnother } from '../host/thread-owner.ts';
import { socketOwner } from '../host/unix-socket-owner.ts';
import { QemuHypervisor } from '../hypervisors/qemu/index.ts';
import type { Store } from '../store/store.ts';
import { thisBoot } from './life.ts';

export interface AdoptRequest extends ExchangeOptions {
  readonly name: string;
  /** The path of the QMP socket. */
  readonly qmp: string;
}

/**
 * Takes up a QEMU that somebody else started: asks what it is and can do, and keeps that. The
 * VM itself is not changed.
 * @throws VmplugError `invalid-argument`, `sandbox-exists`, `vm-gone`, `monitor-busy`, `not-qmp`
 */
export async function adoptSandbox(store: Store, request: AdoptRequest): Promise<SandboxRecord> {
  const name = checkSandboxName(request.name);
  // An empty path would resolve to this directory.
  const socket = buildSocketPath(request.qmp === '' ? '' : resolve(request.qmp));
  store.read((tx) => refuseKnown(tx.sandboxes(), name, socket));
  await using hypervisor = await QemuHypervisor.connect(socket, request);
  const owner = await socketOwner(socket);
  const { thread } = hypervisor.facts;
  const passedOn = owner !== undefined && thread !== undefined && isThreadOfAnother(thread, owner.pid);
  const record: SandboxRecord = {
    name,
    hypervisor: 'qemu',
    socket,
    origin: 'adopted',
    ...thisBoot(),
    ...(passedOn ? { passedOn } : {}),
    ...(owner === undefined || passedOn ? {} : { process: { pid: owner.pid, startTime: owner.startTime } }),
    facts: hypervisor.facts,
    createdAt: Date.now(),
  };
  store.write((tx) => {
    refuseKnown(tx.sandboxes(), name, socket);
    refuseSame(tx.sandboxes(), record);
    tx.putSandbox(record);
  });
  return record;
}

/** @throws VmplugError `sandbox-exists` */
export function refuseKnown(known: readonly SandboxRecord[], name: string, socket: string): void {
  const same = known.find((sandbox) => sandbox.name === name || sandbox.socket === socket);
  if (same === undefined) return;
  throw new VmplugError('sandbox-exists', {
    action: 'add the sandbox',
    subject: name,
    reason:
      same.name === name ? 'there is one of that name' : `${same.name} is the VM behind ${socket} already`,
    hint: `vmplug sandbox inspect ${same.name} shows it; vmplug sandbox forget ${same.name} removes the record`,
    facts: { sandbox: same.name },
  });
}

/** A VM that is a sandbox already, reached by another path or another monitor of it. */
function refuseSame(known: readonly SandboxRecord[], { name, process, facts }: SandboxRecord): void {
  const same = known.find((sandbox) => {
    const isProcess =
      sandbox.process?.pid === process?.pid && sandbox.process?.startTime === process?.startTime;
    return process !== undefined && isProcess && sandbox.facts.thread === facts.thread;
  });
  if (same === undefined) return;
  throw new VmplugError('sandbox-exists', {
    action: 'add the sandbox',
    subject: name,
    reason: `it is the VM of ${same.name} already (process ${process?.pid}), by another socket`,
    hint: `use ${same.name}; vmplug sandbox inspect ${same.name} shows it`,
    facts: { sandbox: same.name },
  });
}
