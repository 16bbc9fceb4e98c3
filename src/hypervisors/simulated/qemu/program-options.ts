import { parseArgs } from 'node:util';
import { VmplugError } from '../../../api/errors.ts';
import { simulatedMachines, type SimulatedMachineType } from './recordings.ts';

/** What the program was started with. */
export interface ProgramOptions {
  readonly sockets: readonly string[];
  readonly control: string | undefined;
  readonly time: 'real' | 'virtual';
  readonly machine: SimulatedMachineType;
  readonly version: string;
  readonly ports: number;
  readonly memorySlots: number;
  readonly sharedMemory: boolean;
  readonly state: 'up' | 'booting' | 'not-started';
}

export const usage = `usage: main.ts --qmp SOCKET [--qmp SOCKET …] [--vms N] [--control SOCKET]
  --qmp SOCKET       where a VM listens; with --vms, %d in it is the number of the VM, from 0
  --machine TYPE     ${simulatedMachines.join(', ')}; default q35
  --version V        default 7.2.22
  --ports N          root ports, default 4
  --memory-slots N   slots for nvdimms, default 0
  --shared-memory    vhost-user devices can be served
  --state STATE      up, booting or not-started; default up
  --time TIME        real or virtual; default real`;

/**
 * Reads the command line of the program.
 * @throws VmplugError `invalid-argument`
 */
export function programOptions(args: readonly string[]): ProgramOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      qmp: { type: 'string', multiple: true },
      vms: text,
      control: text,
      machine: text,
      version: text,
      ports: text,
      'memory-slots': text,
      'shared-memory': { type: 'boolean' },
      state: text,
      time: text,
    },
  });
  const templates = values.qmp ?? [];
  if (templates.length === 0) throw invalid('--qmp', 'it is missing');
  const vms = values.vms === undefined ? undefined : count('--vms', values.vms);
  return {
    sockets: templates.flatMap((path) =>
      vms === undefined
        ? [path]
        : Array.from({ length: vms }, (_, index) => path.replace('%d', String(index))),
    ),
    control: values.control,
    time: oneOf('--time', values.time ?? 'real', ['real', 'virtual']),
    machine: oneOf('--machine', values.machine ?? 'q35', simulatedMachines),
    version: values.version ?? '7.2.22',
    ports: count('--ports', values.ports ?? '4'),
    memorySlots: count('--memory-slots', values['memory-slots'] ?? '0'),
    sharedMemory: values['shared-memory'] === true,
    state: oneOf('--state', values.state ?? 'up', ['up', 'booting', 'not-started']),
  };
}

function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value);
  if (found === undefined) throw invalid(option, `${value} is none of ${known.join(', ')}`);
  return found;
}

function count(option: string, value: string): number {
  if (!/^\d+$/.test(value)) throw invalid(option, `${value} is no number`);
  return Number(value);
}

function invalid(option: string, reason: string): VmplugError {
  return new VmplugError('invalid-argument', { action: 'simulate QEMU with', subject: option, reason });
}
