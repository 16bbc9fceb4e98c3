import { expect, test } from 'vitest';
import { machineTypes } from './machine-options.ts';
import { checkProgram, qemuProgram } from './programs.ts';

const vm = { name: 'vm1', machine: 'virt' } as const;

test('each machine has its QEMU', () => {
  expect(machineTypes.map(qemuProgram)).toEqual([
    'qemu-system-x86_64',
    'qemu-system-x86_64',
    'qemu-system-aarch64',
    'qemu-system-s390x',
  ]);
});

test('a program is found by its path and on the PATH', () => {
  expect(() => checkProgram('/bin/sh', vm)).not.toThrow();
  expect(() => checkProgram('sh', vm, { PATH: '/nonexistent:/bin' })).not.toThrow();
});

test('what is missing names the package, what may not be run says so', () => {
  for (const missing of ['/nonexistent/qemu', 'no-such-qemu', '/bin/sh/qemu']) {
    expect(() => checkProgram(missing, vm, { PATH: '/bin' })).toThrow(
      expect.objectContaining({
        code: 'missing-package',
        subject: missing,
        hint: expect.stringContaining('qemu-system-arm'),
      }),
    );
  }
  expect(() => checkProgram('/etc/passwd', vm)).toThrow(
    expect.objectContaining({
      code: 'start-failed',
      subject: 'vm1',
      reason: expect.stringContaining('EACCES'),
    }),
  );
});
