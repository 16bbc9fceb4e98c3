import type { HostDevice } from '../api/host-device.ts';
import type { VmmFacts } from '../api/hypervisor.ts';
import type { Bus } from '../api/place.ts';
import { checkDevice, driverFor } from '../devices/kinds.ts';
import { enter, type Begun, type EntryContext } from '../operations/attach-begin.ts';
import { conclude } from '../operations/attach-end.ts';
import type { AttachRequest, DecidedRequest } from '../operations/attach-request.ts';
import type { OperationContext } from '../operations/context.ts';
import { checksAmong } from '../operations/peer-checks.ts';
import { Stopwatch } from '../operations/stopwatch.ts';
import type { Claims, Store, Transaction } from '../store/store.ts';
import { notShown, ofSource } from './start-errors.ts';

/** A device that a VM is to have from the start, found on this host. */
export interface FoundDevice {
  readonly request: AttachRequest;
  readonly host: HostDevice;
  readonly watch: Stopwatch;
}

/** The same, with what it is plugged as. */
interface DecidedDevice extends FoundDevice {
  readonly request: DecidedRequest;
}

/** The same, entered in the records. */
export interface EnteredDevice extends DecidedDevice {
  readonly begun: Begun;
}

/**
 * Finds out what the sources are on this host, one after the other. Reads only.
 * @throws VmplugError as each request's `resolve`
 */
export async function findDevices(store: Store, requests: readonly AttachRequest[]): Promise<FoundDevice[]> {
  const found: FoundDevice[] = [];
  for (const request of requests) {
    const watch = new Stopwatch();
    const host = await request.resolve((key) => store.read((tx) => tx.imageFormat(key)));
    watch.lap('resolve');
    found.push({ request, host, watch });
  }
  return found;
}

/** A QEMU that is started inherits a connection: that needs nothing that may be missing. */
const checksAtStart = ['leave', 'hand-over'] as const;

/**
 * Decides as what each device is plugged and how a program behind its socket is checked, and refuses what
 * such a VM cannot have.
 * @throws VmplugError `invalid-argument`, `unsupported`
 */
export async function decideDevices(
  found: readonly FoundDevice[],
  facts: VmmFacts,
): Promise<DecidedDevice[]> {
  return Promise.all(
    found.map(async ({ request, host, watch }) => {
      watch.lap('probe');
      const driver = driverFor(host, request.driver, facts);
      checkDevice({ driver, host, options: request.options }, facts);
      const peerChecks = await checksAmong(checksAtStart, host);
      return { request: { ...request, driver, peerChecks }, host, watch };
    }),
  );
}

/**
 * Enters every device in the records, as an attach that has begun.
 * @throws VmplugError `already-attached`, `claimed-elsewhere`, `no-free-place`, `bus-not-hotpluggable`;
 *   each names the source
 */
export function enterDevices(
  tx: Transaction & Claims,
  context: EntryContext,
  devices: readonly DecidedDevice[],
  buses: readonly Bus[],
): EnteredDevice[] {
  const entered: EnteredDevice[] = [];
  for (const device of devices) {
    const { request, host, watch } = device;
    try {
      entered.push({ ...device, begun: enter(tx, context, request, host, buses, watch) });
    } catch (error) {
      throw ofSource(
        error,
        host.source,
        entered.map(({ begun }) => begun),
      );
    }
  }
  return entered;
}

/**
 * Waits until the guest has shown every device, and makes what was seen durable.
 * @throws VmplugError of the first device that failed, by its source
 */
export async function concludeDevices(
  context: OperationContext,
  devices: readonly EnteredDevice[],
): Promise<void> {
  // All are waited for, so that nothing goes on behind the back of whoever hears of a failure.
  const ends = await Promise.allSettled(
    devices.map(async ({ request, host, begun, watch }) => {
      watch.lap('start');
      try {
        await conclude(context, request, begun, watch);
      } catch (error) {
        throw notShown(error, host.source);
      }
    }),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
