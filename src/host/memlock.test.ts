import { expect, it } from 'vitest';
import { fakeHost } from './host.testing.ts';
import { memlockLimit } from './memlock.ts';

const line = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax locked memory         ${soft.padEnd(20)} unlimited            bytes     \nMax address space         unlimited            unlimited            bytes     \n`;

it('reads the soft limit of a process; none when it is unlimited or not known', () => {
  using host = fakeHost();
  host.write('proc/41/limits', line('8388608'));
  host.write('proc/42/limits', line('unlimited'));
  expect([41, 42, 43].map((pid) => memlockLimit(pid, host.paths))).toEqual([8_388_608, undefined, undefined]);
});
