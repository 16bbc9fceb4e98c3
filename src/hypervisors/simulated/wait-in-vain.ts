import type { ExchangeOptions } from '../../api/hypervisor.ts';

/** Waits for an answer that does not come, as long as the caller does; `waitMs` shortens it. */
export async function waitInVain(
  { timeoutMs, signal }: ExchangeOptions,
  waitMs = timeoutMs,
): Promise<'deadline-passed' | 'aborted'> {
  return new Promise((resolve) => {
    const end = (how: 'deadline-passed' | 'aborted') => (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      resolve(how);
    };
    const abort = end('aborted');
    const timer = setTimeout(end('deadline-passed'), Math.min(timeoutMs, waitMs));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) abort();
  });
}
