import type { Finding, PlannedStep } from '../manager/doctor/finding.ts';
import { isOpen, planOf } from '../manager/doctor/finding.ts';
import { print, printable, printTable } from './output.ts';

/** What `vmplug doctor` says to people: who says what, why, and what is to be done, in order. */
export function printFindings(findings: readonly Finding[], repair: boolean): void {
  const off = findings.filter(({ isNote }) => isNote !== true);
  if (off.length === 0) print('all is well');
  else printTable(head, off.map(row));
  for (const finding of findings) {
    print('');
    print(`${mark(finding)} ${aboutText(finding)}: ${printable(finding.what)}`);
    if (finding.why !== undefined) print(`  why: ${printable(finding.why)}`);
    print(`  ${printable(finding.remedy)}`);
  }
  const plan = planOf(findings);
  if (plan.length === 0) return;
  print('');
  print(repair ? 'what was done, and what is left:' : 'plan:');
  plan.forEach((step, index) => print(`${index + 1}. ${stepText(step, repair)}`));
  if (!repair && plan.some(({ by }) => by === 'repair')) {
    print('vmplug doctor --repair takes the steps that begin with "would"');
  }
}

const head = ['SANDBOX', 'DEVICE', 'PROBLEM', 'WANTED', 'RECORDED', 'VMM', 'HOST', 'MENDED'];

function row({ sandbox, device, problem, truths = {}, repaired }: Finding): string[] {
  const { wanted, recorded, vmm, host } = truths;
  return [sandbox, device, problem, wanted, recorded, vmm, host, repaired ? 'yes' : 'no'].map(
    (cell) => cell ?? '-',
  );
}

function mark(finding: Finding): string {
  if (finding.isNote === true) return 'note ';
  return isOpen(finding) ? 'found' : 'mended';
}

function aboutText({ sandbox, device }: Pick<PlannedStep, 'sandbox' | 'device'>): string {
  const about = [sandbox, device].filter((name) => name !== undefined).join(' ');
  return about === '' ? 'state' : printable(about);
}

function stepText({ by, step, done, ...about }: PlannedStep, repair: boolean): string {
  const who = by === 'person' ? 'you' : done ? 'done' : repair ? 'not done' : 'would';
  return `${who}: ${aboutText(about)}: ${printable(step)}`;
}
