import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { ErrorCode } from '../src/api/error-codes.ts';
import { changesNothing, refused, type Refusal } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

/** Runs a program and returns what it prints. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** Whether a program is there and does what is asked. */
export function works(program: string, ...args: string[]): boolean {
  try {
    run(program, ...args);
    return true;
  } catch {
    return false;
  }
}

/** Plugs a SCSI disk, which comes and goes without a running guest. */
export function plug(sandbox: string, source: string, ...flags: string[]): string[] {
  return ['attach', sandbox, source, '--driver', 'virtio-scsi', '--wait', 'acknowledged', ...flags];
}

/** Two adopted VMs, `one` and `two`, whose guests do not run. */
export class TwoVms implements AsyncDisposable {
  readonly lab: Lab;
  readonly one: ForeignQemu;
  readonly two: ForeignQemu;

  private constructor(lab: Lab, one: ForeignQemu, two: ForeignQemu) {
    this.lab = lab;
    this.one = one;
    this.two = two;
  }

  static async start(): Promise<TwoVms> {
    const lab = new Lab();
    const [one, two] = await Promise.all([startIn(lab, 'one'), startIn(lab, 'two')]);
    return new TwoVms(lab, one, two);
  }

  /** An attach to `one` that is refused, and leaves both VMs and the records as they were. */
  plugRefused(code: ErrorCode, source: string, ...flags: string[]): Promise<Refusal> {
    return changesNothing(this.lab, ['one', 'two'], () =>
      refused(this.lab, code, ...plug('one', source, ...flags)),
    );
  }

  /** An attach that works, and the detach after it. */
  async plugWorks(sandbox: string, source: string, ...flags: string[]): Promise<void> {
    const device = await this.lab.ok<{ id: string }>(...plug(sandbox, source, ...flags));
    await this.lab.ok('detach', sandbox, device.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.one[Symbol.asyncDispose](), this.two[Symbol.asyncDispose]()]);
    await this.lab[Symbol.asyncDispose]();
  }
}

async function startIn(lab: Lab, name: string): Promise<ForeignQemu> {
  mkdirSync(lab.path(name));
  const vm = await startForeignQemu(lab.path(name), ['-S', '-device', 'virtio-scsi-pci,id=scsi0'], {
    waits: false,
  });
  await lab.ok('sandbox', 'adopt', name, '--qmp', vm.qmp);
  return vm;
}
