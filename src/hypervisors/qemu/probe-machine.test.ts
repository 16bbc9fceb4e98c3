import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { temporaryDirectory } from '../../host/host.testing.ts';
import { probeMachine } from './probe-machine.ts';

afterEach(() => vi.unstubAllEnvs());

/** Probes with `setpriv` as the only program on the PATH, or with none. */
async function probeWith(setpriv: string | undefined): Promise<unknown> {
  using directory = temporaryDirectory();
  const { path } = directory;
  if (setpriv !== undefined) {
    writeFileSync(join(path, 'setpriv'), `#!/bin/sh\n${setpriv}\n`);
    chmodSync(join(path, 'setpriv'), 0o755);
  }
  vi.stubEnv('PATH', path);
  const vm = {
    name: 'vm1',
    machine: 'q35',
    ports: 0,
    memory: '256M',
    accel: 'tcg',
    qmpSocket: join(path, 'qmp'),
    coldPlug: [],
  } as const;
  return await probeMachine(vm, { binary: '/bin/sh', timeoutMs: 20_000 });
}

const missing = {
  code: 'missing-package',
  subject: 'setpriv',
  hint: expect.stringContaining('apt-get install util-linux'),
};

test('without setpriv the package that has it is named', async () => {
  await expect(probeWith(undefined)).rejects.toMatchObject({
    ...missing,
    reason: 'it is not installed',
  });
});

test.each([
  ['busybox, with glibc', "setpriv: unrecognized option '--pdeathsig'"],
  ['busybox, with musl', 'setpriv: unrecognized option: pdeathsig'],
])('the setpriv of %s cannot do it: util-linux is named, and not its usage is shown', async (_, words) => {
  const usage = ['BusyBox v1.35.0 multi-call binary.', '', 'Usage: setpriv [OPTIONS] PROG ARGS'];
  const script = [words, ...usage].map((line) => `echo "${line}" >&2`).join('\n');
  const reason = expect.stringMatching(/^it is not the one of util-linux \(setpriv: unrecognized [^\n]*\)$/);
  await expect(probeWith(`${script}\nexit 1`)).rejects.toMatchObject({ ...missing, reason });
});

test('what QEMU says is the reason, whatever it is', async () => {
  await expect(probeWith('echo "qemu: unrecognized option" >&2; exit 1')).rejects.toMatchObject({
    code: 'start-failed',
    reason: 'qemu: unrecognized option',
  });
});
