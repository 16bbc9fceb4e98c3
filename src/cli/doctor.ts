import type { Command } from 'commander';
import { VmplugError } from '../api/errors.ts';
import { isOpen, planOf, type Finding } from '../manager/doctor/finding.ts';
import { stateDirectory } from '../sandbox/directories.ts';
import { common, timed, type TimedOptions } from './options.ts';
import { printFindings } from './doctor-output.ts';
import { printJson } from './output.ts';

interface DoctorFlags extends TimedOptions {
  readonly repair?: true;
  readonly release?: readonly string[];
}

/** `vmplug doctor` */
export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'compare what is wanted and recorded with what the VMs and this host have, and say what to do',
    )
    .option('--repair', 'do it, as far as it can be done from here; without it nothing is changed')
    .option(
      '--release <device...>',
      'with --repair: let the guest let go of SANDBOX/DEVICE, which doctor found in no record',
    )
    .addHelpText('after', '\nExits with 1 when something is left to be mended.');
  timed(command, '5s', 'how long to wait for each VM, for all that it is asked');
  common(command).action(async (flags: DoctorFlags) => {
    if (flags.release !== undefined && flags.repair === undefined) throw releaseAlone(flags.release);
    const findings = await examineAll(flags);
    const ok = !findings.some(isOpen);
    if (!ok) process.exitCode = 1;
    if (flags.json !== true) return printFindings(findings, flags.repair ?? false);
    const [notes, off] = [true, undefined].map((isNote) => findings.filter((each) => each.isNote === isNote));
    printJson('doctor', { ok, findings: off, notes, plan: planOf(findings) });
  });
}

/** The state itself, and then what is in it; nothing of a damaged state is believed before it is restored. */
async function examineAll(flags: DoctorFlags): Promise<Finding[]> {
  const [{ Vmplug }, { examineState }] = await Promise.all([
    import('../manager/vmplug.ts'),
    import('../manager/state-repair.ts'),
  ]);
  const repair = flags.repair ?? false;
  const stateDir = stateDirectory(flags.stateDir);
  const ofState = examineState(stateDir, repair);
  const wasDamaged = ofState.some(({ problem }) => problem === 'state-damaged');
  if (wasDamaged && !repair) return ofState;
  await using vmplug = Vmplug.open({ stateDir });
  const { release = [], timeout: timeoutMs } = flags;
  return [...ofState, ...(await vmplug.doctor({ repair, release, timeoutMs }))];
}

function releaseAlone(release: readonly string[]): VmplugError {
  return new VmplugError('invalid-argument', {
    action: 'release',
    subject: release.join(' '),
    reason: 'without --repair doctor changes nothing',
    hint: 'add --repair',
  });
}
