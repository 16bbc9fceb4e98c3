import { expect, test } from 'vitest';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { startSimulatedVms } from './simulated-vms.ts';

test('a VMM that leaves a command unanswered is given up after vmmPatienceMs, whatever the caller would wait', async () => {
  await using simulated = await startSimulatedVms(1);
  const [vm] = simulated.vms;
  if (vm === undefined) throw new Error('no VM');
  const at = { from: 'server', kind: 'reply', name: 'query-status', nth: 1 } as const;
  vm.proxy.arm({ at, fault: { kind: 'drop' } });
  await using vmplug = Vmplug.open({ stateDir: vm.stateDir, vmmPatienceMs: 70 });
  await expect(vmplug.attach('vm', vm.image, { timeoutMs: 60_000 })).rejects.toMatchObject({
    code: 'deadline-passed',
    reason: expect.stringContaining('70 ms'),
  });
  expect(vmplug.list('vm')).toEqual([]);
});
