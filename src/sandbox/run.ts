import { rmSync } from 'node:fs';
import { VmplugError } from '../api/errors.ts';
import type { ExchangeOptions, VmmFacts } from '../api/hypervisor.ts';
import { checkSandboxName } from '../api/names.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { ownIdentity, processIdentity } from '../host/process-identity.ts';
import { hostSysfs, type HostSysfs } from '../host/vfio/host-sysfs.ts';
import { bootBuses } from '../hypervisors/qemu/boot-layout.ts';
import type { QemuMachine } from '../hypervisors/qemu/command-line.ts';
import { probeMachine } from '../hypervisors/qemu/probe-machine.ts';
import type { QemuHypervisor } from '../hypervisors/qemu/qemu-hypervisor.ts';
import { startQemu } from '../hypervisors/qemu/start.ts';
import type { AttachRequest } from '../operations/attach-request.ts';
import { leaseGroup } from '../operations/leases.ts';
import type { Store } from '../store/store.ts';
import { refuseKnown } from './adopt.ts';
import { askPrograms } from './ask-programs.ts';
import {
  concludeDevices,
  decideDevices,
  enterDevices,
  findDevices,
  type EnteredDevice,
} from './cold-plug.ts';
import { sandboxFiles } from './directories.ts';
import { thisBoot } from './life.ts';
import { memoryFor } from './memory-for.ts';
import { makeOwnDirectory } from './own-directory.ts';
import { notWithdrawn, ofStart } from './start-errors.ts';
import { clearUnstarted, keepStarting, withdraw, type StartContext } from './starting.ts';

export interface RunRequest
  extends ExchangeOptions, Omit<QemuMachine, 'qmpSocket' | 'consoleLog' | 'execSocket' | 'coldPlug'> {
  readonly stateDir: string;
  readonly binary: string;
  /** The guest takes commands as the lab guest does. */
  readonly execs: boolean;
  /** What the VM has from the start. */
  readonly coldPlug?: readonly AttachRequest[];
  /** Waits until the guest itself is up, where that can be told; its devices are looked at then. */
  readonly guestUp?: (sandbox: SandboxRecord) => Promise<void>;
  readonly onProgress?: (text: string) => void;
  /** The drivers of PCI functions; by default this host's own. */
  readonly sysfs?: HostSysfs;
}

/** A start whose intent is durable. */
interface BegunStart {
  readonly record: SandboxRecord;
  readonly machine: QemuMachine;
  readonly devices: readonly EnteredDevice[];
}

/**
 * Starts a VM with QEMU and keeps it as a sandbox, with the devices that it has from the start. It
 * outlives this process. The records come first: a start that is killed at any point leaves a
 * sandbox whose VM runs or has ended, and never a VM or a claim of nobody's. When something
 * fails the VM is ended and nothing is kept.
 * @throws VmplugError `invalid-argument`, `sandbox-exists`, `missing-package`, `start-failed`; as an
 *   attach of each device; what `guestUp` throws
 */
export async function runSandbox(store: Store, request: RunRequest): Promise<SandboxRecord> {
  const name = checkSandboxName(request.name);
  const files = sandboxFiles(request.stateDir, name);
  const context: StartContext = { store, sysfs: request.sysfs ?? hostSysfs };
  await clearUnstarted(context, name);
  store.read((tx) => refuseKnown(tx.sandboxes(), name, files.qmpSocket));
  makeOwnDirectory(files.directory, name);
  let begun: BegunStart;
  try {
    begun = await begin(store, request);
  } catch (error) {
    rmSync(files.directory, { recursive: true, force: true });
    throw error;
  }
  try {
    return await carryOut(context, request, begun);
  } catch (error) {
    await withdraw(context, begun.record, request).catch((second: unknown) => {
      throw notWithdrawn(error, second);
    });
    throw error;
  }
}

/** Finds everything out, then makes the intent durable: one transaction, before the first side effect. */
async function begin(store: Store, request: RunRequest): Promise<BegunStart> {
  const files = sandboxFiles(request.stateDir, request.name);
  const found = await findDevices(store, request.coldPlug ?? []);
  const memory = memoryFor(
    request,
    found.map(({ host }) => host),
  );
  const machine: QemuMachine = { ...request, ...memory, ...files, coldPlug: [] };
  // The thread is that of the VM that was asked, which is not the one to come.
  const { thread: _, ...facts }: VmmFacts =
    found.length === 0 ? notAsked : await probeMachine(machine, request);
  const decided = await decideDevices(found, facts);
  const record: SandboxRecord = {
    name: request.name,
    hypervisor: 'qemu',
    socket: files.qmpSocket,
    origin: 'run',
    ...thisBoot(),
    starter: ownIdentity(),
    directory: files.directory,
    ...(request.execs ? { execSocket: files.execSocket } : {}),
    facts,
    createdAt: Date.now(),
  };
  const begun = store.write((tx) => {
    refuseKnown(tx.sandboxes(), request.name, files.qmpSocket);
    tx.putSandbox(record);
    const context = { sandbox: record, owner: ownIdentity(), hypervisor: { facts } };
    const devices = enterDevices(tx, context, decided, decided.length === 0 ? [] : bootBuses(machine));
    const coldPlug = devices.map((device) => device.begun.attachment.plan);
    return { record, machine: { ...machine, coldPlug }, devices };
  });
  for (const { watch } of begun.devices) watch.lap('journal');
  return begun;
}

/** What is known of a VMM that nobody has asked yet. */
const notAsked: VmmFacts = { type: 'qemu', version: '', machine: '', features: [] };

async function carryOut(
  context: StartContext,
  request: RunRequest,
  begun: BegunStart,
): Promise<SandboxRecord> {
  const { store, sysfs } = context;
  const { devices } = begun;
  for (const device of devices) device.request.onPlanned?.(device.begun.attachment);
  const { record, hypervisor } = await startWithDevices(context, request, begun);
  await using _ = hypervisor;
  const sandbox = { ...record, facts: hypervisor.facts };
  if (request.guestUp !== undefined) {
    request.onProgress?.('wait for the guest');
    await hypervisor.giveWay();
    await request.guestUp(sandbox);
  }
  await concludeDevices({ store, sandbox, hypervisor, owner: ownIdentity(), sysfs }, devices);
  const { starter: _starter, ...started } = sandbox;
  keepStarting(store, started);
  return started;
}

/** Makes sure of the devices and starts QEMU with them; the record then says which process it is. */
async function startWithDevices(
  { store, sysfs }: StartContext,
  request: RunRequest,
  { record, machine, devices }: BegunStart,
): Promise<{ record: SandboxRecord; hypervisor: QemuHypervisor }> {
  const begun = devices.map((device) => device.begun);
  const attachments = begun.map(({ attachment }) => attachment);
  using asked = await askPrograms(attachments, request);
  for (const attachment of attachments) await leaseGroup({ store, sysfs }, attachment, request.signal);
  let sandbox = record;
  try {
    const { hypervisor } = await startQemu(machine, {
      ...request,
      log: sandboxFiles(request.stateDir, record.name).log,
      connections: asked.connections,
      onProcess: (pid) => {
        sandbox = { ...sandbox, ...processOf(pid, record.name) };
        keepStarting(store, sandbox);
      },
    });
    return { record: sandbox, hypervisor };
  } catch (error) {
    throw await ofStart(error, { sandbox, sysfs }, begun);
  }
}

function processOf(pid: number, name: string): Pick<SandboxRecord, 'process'> {
  const identity = processIdentity(pid);
  if (identity !== undefined) return { process: identity };
  throw new VmplugError('start-failed', {
    action: 'start QEMU for',
    subject: name,
    reason: `process ${pid} ended before it became QEMU`,
    hint: 'nothing was left behind',
  });
}
