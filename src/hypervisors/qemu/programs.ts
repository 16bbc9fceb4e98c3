import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VmplugError } from '../../api/errors.ts';
import type { MachineType, QemuMachine } from './machine-options.ts';

const programs: Readonly<Record<MachineType, { readonly name: string; readonly debian: string }>> = {
  q35: { name: 'qemu-system-x86_64', debian: 'qemu-system-x86' },
  pc: { name: 'qemu-system-x86_64', debian: 'qemu-system-x86' },
  virt: { name: 'qemu-system-aarch64', debian: 'qemu-system-arm' },
  's390-ccw-virtio': { name: 'qemu-system-s390x', debian: 'qemu-system-misc' },
};

/** The QEMU that has machines of a type. */
export function qemuProgram(machine: MachineType): string {
  return programs[machine].name;
}

/**
 * Finds out whether a program can be started, as `execvp` looks for it.
 * @throws VmplugError `missing-package` when it is not there, `start-failed` when it may not be run
 */
export function checkProgram(
  binary: string,
  vm: Pick<QemuMachine, 'name' | 'machine'>,
  env: NodeJS.ProcessEnv = process.env,
): void {
  const folders = binary.includes('/') ? [''] : (env['PATH'] ?? '').split(delimiter);
  const found = folders.map((folder) => access(folder === '' ? binary : join(folder, binary)));
  if (found.includes(undefined)) return;
  const error = found.find((each) => each?.code !== 'ENOENT' && each?.code !== 'ENOTDIR');
  if (error !== undefined) {
    throw new VmplugError('start-failed', {
      action: 'start QEMU for',
      subject: vm.name,
      reason: error.message,
      hint: 'name a QEMU that may be run with --qemu',
      cause: error,
    });
  }
  throw new VmplugError('missing-package', {
    action: 'start',
    subject: binary,
    reason: 'it is not installed',
    hint: `on Debian: apt-get install ${programs[vm.machine].debian}`,
  });
}

/** Why a file may not be run; `undefined` when it may. */
function access(path: string): NodeJS.ErrnoException | undefined {
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
