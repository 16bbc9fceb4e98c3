import { setTimeout as sleep } from 'node:timers/promises';
import { VmplugError } from '../../src/api/errors.ts';
import { ownPrefix } from '../../src/api/names.ts';
import { unitsOf } from '../../src/api/plan.ts';
import { Vmplug } from '../../src/manager/vmplug.ts';
import { SqliteStore } from '../../src/store/sqlite-store.ts';
import type { FaultProxy, PlannedFault } from './fault-proxy.ts';
import type { WireMessage } from './faults.ts';

/** A VM behind a proxy, adopted as `vm`, and how to look at it past the proxy. */
export interface WireVm {
  readonly proxy: FaultProxy;
  readonly stateDir: string;
  readonly image: string;
  /** Devices and back ends that it has, whoever plugged them. */
  has(): Promise<{ devices: string[]; backEnds: string[] }>;
}

export interface WireLimits {
  /** Milliseconds for the guest. */
  readonly timeoutMs: number;
  /** Milliseconds for QEMU to answer. */
  readonly vmmPatienceMs: number;
}

export type Doing = 'attach' | 'detach';
export type WireDriver = 'virtio-blk' | 'virtio-scsi';

/** How an operation ended whose conversation went wrong. */
export interface WireEnd {
  /** `done`, or the error's code. */
  readonly outcome: string;
  /** Whether the VM and the records agreed on it at once, before a doctor came. */
  readonly isCertain: boolean;
  readonly isReached: boolean;
  /** Milliseconds that it took, connecting included. */
  readonly tookMs: number;
}

/** What no fault may make longer: a few waits for QEMU, and time for a busy host. */
const longestMs = 60_000;
const settleMs = 60_000;
const clean = { timeoutMs: 60_000 };

/** The messages of an attach or a detach in which nothing goes wrong. */
export async function messagesOf(
  vm: WireVm,
  doing: Doing,
  driver: WireDriver,
): Promise<readonly WireMessage[]> {
  const { proxy, stateDir, image } = vm;
  if (doing === 'detach') await attachCleanly(vm, driver);
  proxy.arm();
  {
    await using vmplug = Vmplug.open({ stateDir });
    await (doing === 'attach'
      ? vmplug.attach('vm', image, { ...clean, driver })
      : vmplug.detach('vm', image, clean));
  }
  const messages = [...proxy.messages];
  proxy.arm();
  if (doing === 'attach') await settle(vm);
  return messages;
}

/**
 * Attaches or detaches a disk while something goes wrong on the wire, lets a doctor with a
 * connection of its own settle it, and brings the VM back to its start.
 * @throws Error what is not as it has to be: records and VM that disagree, something that is left
 */
export async function underFault(
  vm: WireVm,
  doing: Doing,
  driver: WireDriver,
  planned: PlannedFault,
  limits: WireLimits,
): Promise<WireEnd> {
  const { proxy, stateDir, image } = vm;
  if (doing === 'detach') await attachCleanly(vm, driver);
  proxy.arm(planned);
  const started = performance.now();
  const outcome = await inTime(async () => {
    await using vmplug = Vmplug.open({ stateDir, vmmPatienceMs: limits.vmmPatienceMs });
    const { timeoutMs } = limits;
    return await outcomeOf(
      doing === 'attach'
        ? vmplug.attach('vm', image, { timeoutMs, driver })
        : vmplug.detach('vm', image, { timeoutMs }),
    );
  });
  const tookMs = performance.now() - started;
  const { isReached } = proxy;
  proxy.arm();
  await until(() => proxy.clients === 0, 'no connection is left');
  const recorded = recordsOf(vm);
  const found = await vm.has();
  const isAt = doing === 'attach' ? outcome === 'done' : outcome !== 'done';
  const isCertain =
    recorded.states.every((state) => state === 'attached') &&
    recorded.names.length === (isAt ? 1 : 0) &&
    JSON.stringify(ours(found.devices)) === JSON.stringify(recorded.names);
  if (outcome === 'done' && !isCertain) throw disagreement(`${doing} said done`, recorded, found);
  await settle(vm);
  return { outcome, isCertain, isReached, tookMs };
}

async function attachCleanly({ proxy, stateDir, image }: WireVm, driver: WireDriver): Promise<void> {
  proxy.arm();
  await using vmplug = Vmplug.open({ stateDir });
  await vmplug.attach('vm', image, { ...clean, driver });
}

/** A doctor settles what is open, records and VM agree, and then everything is taken out again. */
async function settle(vm: WireVm): Promise<void> {
  await using vmplug = Vmplug.open({ stateDir: vm.stateDir });
  const deadline = performance.now() + settleMs;
  await vmplug.doctor({ ...clean, repair: true });
  await expectAgreement(vm, deadline);
  for (const { id } of vmplug.list('vm')) {
    // The guest may let go of it just now, because it was asked before.
    await vmplug.detach('vm', id, clean).catch((error: unknown) => {
      if (!(error instanceof VmplugError) || error.code !== 'device-not-found') throw error;
    });
  }
  const findings = await vmplug.doctor(clean);
  const { names, claims, running } = recordsOf(vm);
  const { devices, backEnds } = await vm.has();
  const left = [...findings, ...names, ...claims, ...running, ...ours(devices), ...ours(backEnds)];
  if (left.length > 0) throw new Error(`left in the end: ${JSON.stringify(left)}`);
}

/** A guest that was asked to let go may do so at any time: until it has, the device is recorded as leaving. */
async function expectAgreement(vm: WireVm, deadline: number): Promise<void> {
  for (;;) {
    const recorded = recordsOf(vm);
    const found = await vm.has();
    const isSame = JSON.stringify(ours(found.devices)) === JSON.stringify(recorded.names);
    if (isSame) return;
    // It has left since; the next command releases what it held.
    if (!recorded.states.includes('detaching') || performance.now() > deadline)
      throw disagreement('after the doctor', recorded, found);
    await sleep(20);
    await using vmplug = Vmplug.open({ stateDir: vm.stateDir });
    await vmplug.doctor({ ...clean, repair: true });
  }
}

interface Recorded {
  readonly names: readonly string[];
  readonly states: readonly string[];
  readonly claims: readonly string[];
  readonly running: readonly string[];
}

function recordsOf({ stateDir }: WireVm): Recorded {
  using store = SqliteStore.open(stateDir);
  return store.read((tx) => {
    const attachments = tx.attachments('vm');
    const operations = tx.operations({ sandbox: 'vm' });
    return {
      names: attachments.flatMap((each) => unitsOf(each).map(({ vmmId }) => vmmId)).sort(),
      states: attachments.map(({ state }) => state),
      claims: [...tx.takenPlaces('vm')],
      running: operations.filter(({ state }) => state === 'running').map(({ id }) => id),
    };
  });
}

function ours(names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(ownPrefix)).toSorted();
}

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof VmplugError) return error.code;
    throw error;
  }
}

async function inTime<T>(work: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no end within ${longestMs} ms`)), longestMs);
  return Promise.race([work(), late.promise]).finally(() => clearTimeout(timer));
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (const deadline = performance.now() + settleMs; !isSo(); await sleep(1)) {
    if (performance.now() > deadline) throw new Error(`it never came about that ${what}`);
  }
}

function disagreement(when: string, recorded: Recorded, found: unknown): Error {
  return new Error(`${when}: records ${JSON.stringify(recorded)}, VM ${JSON.stringify(found)}`);
}
