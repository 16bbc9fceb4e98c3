import { rmSync } from 'node:fs';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import { checkSandboxName } from '../api/names.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { processIdentity } from '../host/process-identity.ts';
import type { QemuMachine } from '../hypervisors/qemu/command-line.ts';
import { startQemu } from '../hypervisors/qemu/start.ts';
import type { Store } from '../store/store.ts';
import { refuseKnown } from './adopt.ts';
import { sandboxFiles } from './directories.ts';
import { makeOwnDirectory } from './own-directory.ts';
import { endProcess } from './stop.ts';

export interface RunRequest
  extends
    ExchangeOptions,
    Pick<QemuMachine, 'name' | 'machine' | 'ports' | 'memory' | 'kernel' | 'initrd' | 'append' | 'accel'> {
  readonly stateDir: string;
  readonly binary: string;
  /** The guest answers on its second serial port, as the lab guest does. */
  readonly execs: boolean;
}

/**
 * Starts a VM with QEMU and keeps it as a sandbox. It outlives this process.
 * @throws VmplugError `invalid-argument`, `sandbox-exists`, `missing-package`, `start-failed`
 */
export async function runSandbox(store: Store, request: RunRequest): Promise<SandboxRecord> {
  const name = checkSandboxName(request.name);
  const files = sandboxFiles(request.stateDir, name);
  store.read((tx) => refuseKnown(tx.sandboxes(), name, files.qmpSocket));
  makeOwnDirectory(files.directory, name);
  try {
    const { pid, hypervisor } = await startQemu({ ...request, ...files }, { ...request, log: files.log });
    await using _ = hypervisor;
    const identity = processIdentity(pid);
    const record: SandboxRecord = {
      name,
      hypervisor: 'qemu',
      socket: files.qmpSocket,
      origin: 'run',
      ...(identity === undefined ? {} : { process: identity }),
      directory: files.directory,
      ...(request.execs ? { execSocket: files.execSocket } : {}),
      facts: hypervisor.facts,
      createdAt: Date.now(),
    };
    try {
      store.write((tx) => {
        refuseKnown(tx.sandboxes(), name, files.qmpSocket);
        tx.putSandbox(record);
      });
    } catch (error) {
      // Nobody would know of this VM: it must not stay.
      await endProcess(record, request);
      throw error;
    }
    return record;
  } catch (error) {
    rmSync(files.directory, { recursive: true, force: true });
    throw error;
  }
}
