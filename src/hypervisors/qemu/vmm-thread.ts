import { hasCode, VmplugError } from '../../api/errors.ts';
import type { JsonValue } from '../../api/json.ts';
import { cpusReply, readReply } from './replies.ts';

/** Asks a QEMU one question. */
export type AskQemu = (command: string) => Promise<JsonValue>;

/**
 * The thread of this host that runs a QEMU's first CPU (`query-cpus-fast`): the same for as long as that
 * QEMU runs, resets included, and never that of another one. `undefined` where it does not say.
 * @throws VmplugError `protocol-error`, and what the connection throws
 */
export async function firstCpuThread(ask: AskQemu): Promise<number | undefined> {
  try {
    const cpus = readReply(cpusReply, await ask('query-cpus-fast'), 'query-cpus-fast');
    return cpus.toSorted((a, b) => a['cpu-index'] - b['cpu-index'])[0]?.['thread-id'];
  } catch (error) {
    if (hasCode(error, 'vmm-refused')) return undefined;
    throw error;
  }
}

/**
 * Makes sure that the QEMU behind a socket is the one that was there before.
 * @throws VmplugError `vm-replaced`, and as {@link firstCpuThread}
 */
export async function refuseAnotherVm(ask: AskQemu, socket: string, expected: number): Promise<void> {
  const thread = await firstCpuThread(ask);
  if (thread === expected) return;
  throw new VmplugError('vm-replaced', {
    action: 'connect to the QMP socket',
    subject: socket,
    reason: 'another VM answers on it than before',
    hint: 'that one was asked nothing more; vmplug doctor says what became of the first',
    facts: { expected, ...(thread === undefined ? {} : { thread }) },
  });
}
