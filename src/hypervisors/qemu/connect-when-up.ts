import { setTimeout } from 'node:timers/promises';
import { hasCode, VmplugError } from '../../api/errors.ts';
import type { ExchangeOptions } from '../../api/hypervisor.ts';
import { QemuHypervisor } from './qemu-hypervisor.ts';

const retryMs = 20;

/**
 * Connects to a QEMU that is being started: waits for its socket.
 * @param ended resolves with why, when QEMU has ended
 * @throws VmplugError what `ended` resolved with; `deadline-passed`; as `QemuHypervisor.connect`
 */
export async function connectWhenUp(
  socket: string,
  ended: Promise<VmplugError>,
  options: ExchangeOptions,
): Promise<QemuHypervisor> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    const attempt = QemuHypervisor.connect(socket, {
      ...options,
      timeoutMs: Math.max(1, deadline - performance.now()),
    });
    const first = await Promise.race([
      attempt.then(
        (hypervisor) => ({ hypervisor }),
        (error: unknown) => ({ error }),
      ),
      ended.then((error) => ({ ended: error })),
    ]);
    if ('hypervisor' in first) return first.hypervisor;
    if ('ended' in first) throw first.ended;
    if (!hasCode(first.error, 'vm-gone')) throw first.error;
    if (performance.now() >= deadline) throw tooLate(socket, options.timeoutMs, first.error);
    await setTimeout(retryMs);
  }
}

function tooLate(socket: string, timeoutMs: number, cause: VmplugError): VmplugError {
  return new VmplugError('deadline-passed', {
    action: 'wait for QEMU at',
    subject: socket,
    reason: `nobody listens there after ${timeoutMs} ms`,
    hint: 'give it longer with --timeout',
    cause,
  });
}
