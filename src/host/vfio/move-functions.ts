import { join } from 'node:path';
import { hasCode, VmplugError } from '../../api/errors.ts';
import { bindingText, boundDriver, sameBinding, type BindingState } from './pci-driver.ts';
import type { SysfsIo } from './sysfs-io.ts';
import { bindingFailed, bindingUnknown, type Misplaced } from './vfio-binding-errors.ts';
import { bindingWrites, type FunctionMove, type SysfsWrite } from './vfio-binding-plan.ts';

export interface PciBus {
  /** The kernel's tree of the bus, `/sys/bus/pci`. */
  readonly path: string;
  readonly io: SysfsIo;
}

/** The binding that a function has now. Throws what the system says, or `deadline-passed`. */
export async function bindingOf({ path, io }: PciBus, address: string): Promise<BindingState> {
  const directory = join(path, 'devices', address);
  const override = (await io.read(join(directory, 'driver_override'))).trim();
  return {
    driver: boundDriver(directory),
    override: override === '' || override === '(null)' ? null : override,
  };
}

/**
 * Makes every move or none: after a failure what was moved is put back, the last one first.
 * @param subject what moves, for errors
 * @throws VmplugError `source-unsuitable`, `missing-package`, `aborted`: nothing is changed;
 * `outcome-unknown`, which says of each function that could not be put back how it is
 */
export async function moveFunctions(
  subject: string,
  moves: readonly FunctionMove[],
  bus: PciBus,
  signal?: AbortSignal,
): Promise<void> {
  const begun: FunctionMove[] = [];
  try {
    for (const move of moves) {
      throwIfAborted(subject, signal);
      begun.push(move);
      await bring(move.address, move.writes, move.to, bus);
    }
  } catch (error) {
    const misplaced: Misplaced[] = [];
    for (const { address, from } of begun.toReversed()) {
      // What the kernel still works on takes no other order; only the last one can be that.
      const stuck = hasCode(error, 'deadline-passed') && address === begun.at(-1)?.address;
      const result = stuck
        ? { address, former: from, now: undefined, error }
        : await putBack(address, from, bus);
      if (result !== undefined) misplaced.push(result);
    }
    throw misplaced.length > 0 ? bindingUnknown(subject, error, misplaced) : bindingFailed(subject, error);
  }
}

/** Brings a function from wherever it is to the binding it had; what remains to be done if it can't be. */
export async function putBack(
  address: string,
  former: BindingState,
  bus: PciBus,
): Promise<Misplaced | undefined> {
  try {
    const writes = bindingWrites(bus.path, address, await bindingOf(bus, address), former);
    await bring(address, writes, former, bus);
    return undefined;
  } catch (error) {
    const now = await presentState(address, bus, error);
    // A write can fail and have worked.
    return now !== undefined && sameBinding(now, former) ? undefined : { address, former, now, error };
  }
}

async function presentState(
  address: string,
  bus: PciBus,
  failure: unknown,
): Promise<BindingState | undefined> {
  if (hasCode(failure, 'deadline-passed')) return undefined;
  return await bindingOf(bus, address).catch(() => undefined);
}

async function bring(
  address: string,
  writes: readonly SysfsWrite[],
  wanted: BindingState,
  bus: PciBus,
): Promise<void> {
  for (const { path, text } of writes) await bus.io.write(path, text);
  // Probing reports no failure: the link to the driver is missing then.
  const now = await bindingOf(bus, address);
  if (sameBinding(now, wanted)) return;
  throw new Error(
    `the kernel took every write for ${address}, and it has ${bindingText(now)} instead of ${bindingText(wanted)}`,
  );
}

function throwIfAborted(subject: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new VmplugError('aborted', {
    action: 'change the driver of',
    subject,
    reason: 'given up before it was done; every function is as it was before',
    cause: signal.reason,
  });
}
