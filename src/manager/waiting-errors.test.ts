import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { VmplugError } from '../api/errors.ts';
import { processIdentity } from '../host/process-identity.ts';
import { Bench, TestStore } from '../operations/bench.testing.ts';
import { stoppedProcess } from './stopped-process.ts';
import { withWhoIsWaitedFor } from './waiting-errors.ts';

test('of a VM whose process is stopped that is said, and how it goes on', async () => {
  using stores = new TestStore();
  const vmm = spawn('sleep', ['600'], { stdio: 'ignore' });
  try {
    await once(vmm, 'spawn');
    const identity = processIdentity(vmm.pid ?? 0);
    if (identity === undefined) throw new Error('sleep has ended');
    const { sandbox } = new Bench(stores.store, { process: identity });
    const busy = new VmplugError('monitor-busy', { action: 'connect', subject: '/s', reason: 'no greeting' });
    expect(await withWhoIsWaitedFor(stores.store, 'vm1', busy)).toBe(busy);
    vmm.kill('SIGSTOP');
    await expect.poll(() => stoppedProcess(sandbox)).toBe(vmm.pid);
    expect(await withWhoIsWaitedFor(stores.store, 'vm1', busy)).toMatchObject({
      code: 'monitor-busy',
      reason: expect.stringContaining(`process ${vmm.pid} is stopped`),
      hint: expect.stringContaining(`kill -CONT ${vmm.pid}`),
    });
    const other = new VmplugError('claimed-elsewhere', { action: 'a', subject: 's', reason: 'r' });
    expect(await withWhoIsWaitedFor(stores.store, 'vm1', other)).toBe(other);
  } finally {
    vmm.kill('SIGKILL');
  }
});
