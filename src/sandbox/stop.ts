import { VmplugError } from '../api/errors.ts';
import type { ExchangeOptions } from '../api/hypervisor.ts';
import type { SandboxRecord } from '../api/sandbox.ts';
import { QemuHypervisor } from '../hypervisors/qemu/index.ts';
import type { Store } from '../store/store.ts';
import { beingStarted } from './connect.ts';
import { forgetIf } from './forget.ts';
import { isStarting, lifeOf, lifeSoon } from './life.ts';

/**
 * Ends a VM that vmplug started, by `quit` and if that does not help by a signal, and forgets
 * it with all that its devices held. Only when the process is seen to be gone is anything freed.
 * @throws VmplugError `sandbox-in-use` for a VM of somebody else's; `operation-in-progress` while it
 *   is about to be started; `deadline-passed`
 */
export async function stopSandbox(
  store: Store,
  sandbox: SandboxRecord,
  options: ExchangeOptions,
): Promise<void> {
  if (sandbox.origin !== 'run') {
    throw new VmplugError('sandbox-in-use', {
      action: 'stop',
      subject: sandbox.name,
      reason: 'it was adopted, so its VM is not ours to stop',
      hint: `stop it where it was started; vmplug sandbox forget ${sandbox.name} removes the record`,
    });
  }
  if (sandbox.process === undefined && isStarting(sandbox)) throw beingStarted(sandbox, 'stop');
  await endProcess(sandbox, options);
  forgetIf(store, sandbox, () => undefined);
}

/**
 * Ends a VM's process, by `quit` and if that does not help by a signal, and sees it gone.
 * @throws VmplugError `deadline-passed`
 */
export async function endProcess(sandbox: SandboxRecord, options: ExchangeOptions): Promise<void> {
  if (lifeOf(sandbox) === 'ended') return;
  const deadline = performance.now() + options.timeoutMs;
  await quit(sandbox, options);
  const left = Math.max(deadline - performance.now(), 0);
  if ((await lifeSoon(sandbox, left)) !== 'ended') kill(sandbox);
  if ((await lifeSoon(sandbox, Math.max(options.timeoutMs, killedMs))) !== 'ended') throw stillThere(sandbox);
}

/** Milliseconds for the kernel to take away a process that was killed, at least. */
const killedMs = 5_000;

async function quit(sandbox: SandboxRecord, options: ExchangeOptions): Promise<void> {
  try {
    const hypervisor = await QemuHypervisor.connect(sandbox.socket, { ...options, facts: sandbox.facts });
    await using _ = hypervisor;
    await hypervisor.quit(options);
  } catch (error) {
    // It may end before it answers, or not answer at all: the process decides, not the reply.
    if (!(error instanceof VmplugError)) throw error;
  }
}

function kill(sandbox: SandboxRecord): void {
  if (sandbox.process === undefined || lifeOf(sandbox) !== 'alive') return;
  try {
    process.kill(sandbox.process.pid, 'SIGKILL');
  } catch (error) {
    if (lifeOf(sandbox) === 'alive') throw error;
  }
}

function stillThere(sandbox: SandboxRecord): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'stop',
    subject: sandbox.name,
    reason: `its process ${sandbox.process?.pid ?? '(unknown)'} has not ended`,
    hint: 'its devices stay claimed; look at the process, then stop the sandbox again',
  });
}
