import { VmplugError } from '../../../api/errors.ts';
import pc100 from './recorded/pc-10.0.2.json' with { type: 'json' };
import pc72 from './recorded/pc-7.2.22.json' with { type: 'json' };
import q35100 from './recorded/q35-10.0.2.json' with { type: 'json' };
import q3572 from './recorded/q35-7.2.22.json' with { type: 'json' };
import native100 from './recorded/q35-native-10.0.2.json' with { type: 'json' };
import native72 from './recorded/q35-native-7.2.22.json' with { type: 'json' };
import s390x72 from './recorded/s390x-7.2.22.json' with { type: 'json' };
import virt72 from './recorded/virt-7.2.22.json' with { type: 'json' };
import type { RecordedQemu } from './recorded-qemu.ts';

/** What can be simulated: a machine type, for q35 with ACPI hot-plug or with that of its ports. */
export const simulatedMachines = ['q35', 'q35-native', 'pc', 's390x', 'virt'] as const;
export type SimulatedMachineType = (typeof simulatedMachines)[number];

const recordings: Readonly<Record<string, RecordedQemu>> = {
  'q35 7.2': q3572,
  'q35 10.0': q35100,
  'q35-native 7.2': native72,
  'q35-native 10.0': native100,
  'pc 7.2': pc72,
  'pc 10.0': pc100,
  's390x 7.2': s390x72,
  'virt 7.2': virt72,
};

/**
 * What a QEMU of that version said of itself, or one of the same series.
 * @throws VmplugError `invalid-argument` when none was recorded
 */
export function recordingOf(machine: SimulatedMachineType, version: string): RecordedQemu {
  const [major = 0, minor = 0, micro = 0] = version.split('.').map(Number);
  const found = recordings[`${machine} ${major}.${minor}`];
  if (found !== undefined) return { ...found, version: { ...found.version, qemu: { major, minor, micro } } };
  throw new VmplugError('invalid-argument', {
    action: 'simulate QEMU',
    subject: `${machine} ${version}`,
    reason: 'no QEMU of that series was recorded for it',
    hint: `choose one of ${Object.keys(recordings).join(', ')}`,
  });
}
