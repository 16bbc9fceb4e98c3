import type { AttachmentRecord } from '../../api/attachment.ts';
import type { DeviceState } from '../../api/device-state.ts';
import { VmplugError } from '../../api/errors.ts';
import type { HostDisk } from '../../api/host-device.ts';
import { checkSandboxName } from '../../api/names.ts';
import { placeKey } from '../../api/place.ts';
import { unitsOf } from '../../api/plan.ts';
import type { SandboxRecord } from '../../api/sandbox.ts';
import { SystemDeviceHost } from '../../host/device-host.ts';
import { resolveDisk } from '../../host/disk/resolve-disk.ts';
import { refuseKnown } from '../../sandbox/adopt.ts';
import { SqliteStore } from '../../store/sqlite-store.ts';
import { isKnownType } from '../../store/v1/device-state-shape.ts';
import type { SandboxState } from '../../store/v1/documents.ts';
import { printKeptDocument } from '../../store/v1/kept-document.ts';
import { isDirectoryName } from '../../store/v1/layout.ts';
import type { LockOptions } from '../../store/v1/lock-directory.ts';
import { invalid, type Where } from '../../store/v1/shape.ts';
import { readSaved } from '../devices/device-saved.ts';
import { recoverDevice, type RecoveredDevice } from './device.ts';
import { withPciPath } from './pci-path.ts';
import { pluggedByV1, type V1Sandbox } from './plugged.ts';
import { readV1Source, type V1Source } from './source.ts';
import { findV1Vm } from './vm.ts';

export interface V1ImportRequest extends LockOptions {
  readonly stateDir: string;
  /** A sandbox's `persist.json`, or its directory. */
  readonly file: string;
  /** The default is v1's id of the sandbox. */
  readonly name?: string;
}

/** What was taken over from v1. */
export interface V1Imported {
  readonly sandbox: SandboxRecord;
  /** Ids of the containers whose documents were found. */
  readonly containers: readonly string[];
  readonly devices: readonly RecoveredDevice[];
  /** Devices of types that v1 does not know either. They stay in the kept document alone. */
  readonly skipped: readonly { readonly id: string; readonly type: string }[];
}

/**
 * Takes over a sandbox from its v1 state: the sandbox, its devices under the names that they have in the VMM,
 * and the documents whole. Everything is read and checked first, then recorded in one transaction. The VM is
 * not asked, so that one that has ended can be imported too.
 * @throws VmplugError `sandbox-exists`, `invalid-argument` for a name that vmplug cannot have, `claimed-elsewhere`
 * when another sandbox has what v1 plugged; as
 * {@link readV1Source}, {@link findV1Vm} and `SqliteStore.open`
 */
export async function importV1State(request: V1ImportRequest): Promise<V1Imported> {
  const source = await readV1Source(request.file, request);
  const { sandbox, containers } = source.saved;
  checkId(sandbox, source.path);
  const name = nameOf(request, source);
  const vm = await findV1Vm(sandbox, source.path, source.root);
  const states = sandbox.Devices ?? [];
  const bridges = sandbox.HypervisorState.Bridges ?? [];
  states.forEach((state, index) => checkLoads(state, { document: source.path, path: `$.Devices[${index}]` }));
  const known = states.filter(({ Type }) => isKnownType(Type));
  const devices = known.map((state) => recoverDevice(withPciPath(state, bridges), containers));
  const record: SandboxRecord = {
    name,
    hypervisor: vm.type,
    socket: vm.socket,
    origin: 'adopted',
    ...(vm.process === undefined ? {} : { process: vm.process }),
    // What a VMM can do is asked of it; v1 kept none of that.
    facts: { type: vm.type, version: '', machine: vm.machine, features: [] },
    createdAt: Date.now(),
  };
  // Of a VM that no longer runs nothing is plugged any more.
  const isRunning = vm.type === 'qemu' && vm.process !== undefined;
  const plugged = isRunning ? await pluggedDevices(known, { name, bridges }) : [];
  using store = SqliteStore.open(request.stateDir);
  store.write((tx) => {
    refuseKnown(tx.sandboxes(), name, vm.socket);
    tx.putSandbox(record);
    for (const device of devices) tx.putManagedDevice(name, device.record);
    for (const attachment of plugged) {
      tx.putAttachment(attachment);
      tx.claim(attachment.host.identities, attachment.id, name);
      for (const { place } of unitsOf(attachment)) tx.takePlace(name, placeKey(place), attachment.id);
    }
    tx.putV1State(name, printKeptDocument(source.saved));
  });
  return {
    sandbox: record,
    containers: Object.keys(containers),
    devices,
    skipped: states.filter(({ Type }) => !isKnownType(Type)).map(({ ID, Type }) => ({ id: ID, type: Type })),
  };
}

/** What v1 plugged into the VM, with the real identity of its files where they are still there. */
async function pluggedDevices(
  states: readonly DeviceState[],
  sandbox: V1Sandbox,
): Promise<AttachmentRecord[]> {
  const found: AttachmentRecord[] = [];
  for (const state of states) {
    const attachment = pluggedByV1(state, sandbox, await diskOf(state, sandbox));
    if (attachment !== undefined) found.push(attachment);
  }
  return found;
}

/** v1 plugs every disk raw, and shared for writing; one whose file is gone has only its name. */
async function diskOf({ ID, BlockDrive }: DeviceState, { name }: V1Sandbox): Promise<HostDisk | undefined> {
  if (BlockDrive === undefined) return undefined;
  const path = BlockDrive.File;
  try {
    return await resolveDisk(path, { readOnly: false, shareRw: true, force: true, format: 'raw' });
  } catch (error) {
    if (!(error instanceof VmplugError)) throw error;
    return {
      kind: 'block',
      source: path,
      layers: [{ path, format: 'raw', protocol: 'file' }],
      virtualSize: 0,
      identities: [{ key: `v1:${name}:${ID}`, mode: 'exclusive' }],
      readOnly: false,
      shareRw: true,
      major: 0,
      minor: 0,
    };
  }
}

/** Whether a device can be made of a state is known by trying, before anything is recorded. */
function checkLoads(state: DeviceState, where: Where): void {
  if (!isKnownType(state.Type)) return;
  try {
    readSaved({ state, info: null }, new SystemDeviceHost());
  } catch (error) {
    throw error instanceof VmplugError ? invalid(where, error.reason, error.code) : error;
  }
}

/** v1 kept the sandbox in a directory of that name: the id goes into paths. */
function checkId({ SandboxContainer: id }: SandboxState, document: string): void {
  if (isDirectoryName(id)) return;
  const reason =
    id === '' ? 'the sandbox has no id' : `${id} is no name of a directory, so it is no id of v1`;
  throw invalid({ document, path: '$.SandboxContainer' }, reason);
}

function nameOf({ name, file }: V1ImportRequest, { saved }: V1Source): string {
  if (name !== undefined) return checkSandboxName(name);
  const id = saved.sandbox.SandboxContainer;
  try {
    return checkSandboxName(id);
  } catch (error) {
    throw new VmplugError('invalid-argument', {
      action: 'import the state',
      subject: file,
      reason: `its id ${id} is no name for a sandbox here`,
      hint: 'give it one with --name',
      facts: { path: '$.SandboxContainer' },
      cause: error,
    });
  }
}
