import { expect, test, vi } from 'vitest';
import { ensurePackages, missingPackages } from './packages.ts';

test('a program on the PATH and a file are found, others are missing', async () => {
  const absent = { package: 'c', provides: 'no-such-program-here', why: 'to fail' };
  const present = [
    { package: 'a', provides: 'sh', why: 'to run' },
    { package: 'b', provides: '/etc/passwd', why: 'to read' },
  ];
  expect(await missingPackages([...present, absent])).toEqual([absent]);
  expect(await ensurePackages(present)).toEqual([]);
});

test('without root the error has the command to run', async () => {
  const needed = [{ package: 'no-such-package', provides: 'no-such-program-here', why: 'to fail' }];
  const { getuid } = process;
  vi.spyOn(process, 'getuid').mockReturnValue(65534);
  try {
    await expect(ensurePackages(needed)).rejects.toMatchObject({
      code: 'missing-package',
      hint: 'sudo apt-get install --no-install-recommends no-such-package',
    });
  } finally {
    vi.restoreAllMocks();
  }
  expect(process.getuid).toBe(getuid);
});
