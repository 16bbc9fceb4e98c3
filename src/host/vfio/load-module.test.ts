import { expect, it } from 'vitest';
import { loadModule } from './load-module.ts';

it('a module that there is not is said with the words of modprobe', async () => {
  const error: unknown = await loadModule('no-such-module-of-vmplug').catch((reason: unknown) => reason);
  expect(error).toMatchObject({ subject: 'no-such-module-of-vmplug' });
  expect(['unsupported', 'missing-package']).toContain(
    error instanceof Error && 'code' in error ? error.code : undefined,
  );
});
