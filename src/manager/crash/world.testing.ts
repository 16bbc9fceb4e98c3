import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fakeSysfs, type FakeSysfs } from '../../host/vfio/sysfs.testing.ts';
import { startSimulatedQemu, type StartedSimulatedQemu } from '../../hypervisors/simulated/index.ts';
import { Vmplug } from '../vmplug.ts';
import { serveBackEnd } from './back-end.testing.ts';
import type { PluggedKind } from './kinds.testing.ts';
import { PromptClock } from './prompt-clock.testing.ts';
import type { Job } from './victim-words.testing.ts';

const functions = ['0000:04:00.0', '0000:04:00.1'];
const group = '12';

/** The patience of a command in milliseconds: nothing here takes that long. */
export const limits = { timeoutMs: 60_000 };

/** A host with one device of a kind, a VM that takes it, and a state that knows the VM. */
export class World implements AsyncDisposable {
  readonly kind: PluggedKind;
  readonly sandbox = 'vm';
  readonly stateDir: string;
  readonly source: string;
  readonly clock: PromptClock;
  readonly qemu: StartedSimulatedQemu;
  /** Of a device that is made of PCI functions. */
  readonly sysfs: FakeSysfs | undefined;
  readonly #held: AsyncDisposableStack;

  private constructor(
    kind: PluggedKind,
    parts: Pick<World, 'clock' | 'qemu' | 'sysfs' | 'source' | 'stateDir'>,
    held: AsyncDisposableStack,
  ) {
    this.kind = kind;
    this.stateDir = parts.stateDir;
    this.source = parts.source;
    this.clock = parts.clock;
    this.qemu = parts.qemu;
    this.sysfs = parts.sysfs;
    this.#held = held;
  }

  static async make(kind: PluggedKind): Promise<World> {
    await using held = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), 'vmplug-crash-'));
    held.defer(() => rmSync(directory, { recursive: true, force: true }));
    const clock = new PromptClock();
    const qemu = held.use(await startSimulatedQemu({ ...kind.machine, clock }));
    const isFunctions = kind.made === 'function' || kind.made === 'group';
    const sysfs = isFunctions ? held.use(hostWith(kind.made === 'group' ? 2 : 1)) : undefined;
    const source = `${kind.scheme}${isFunctions ? functions[0] : join(directory, 'device')}`;
    const path = join(directory, 'device');
    if (kind.made === 'socket') held.use(await serveBackEnd(path));
    else if (!isFunctions) makeFile(path);
    const world = new World(
      kind,
      { clock, qemu, sysfs, source, stateDir: join(directory, 'state') },
      held.move(),
    );
    await using vmplug = world.open();
    await vmplug.adopt(world.sandbox, qemu.socket, limits);
    return world;
  }

  /** vmplug as the next command has it. */
  open(): Vmplug {
    const { stateDir, sysfs } = this;
    return Vmplug.open({ stateDir, lingerMs: 0, ...(sysfs === undefined ? {} : { sysfs }) });
  }

  /** Attaches or detaches, as a command of its own. */
  async command(action: Job['action']): Promise<void> {
    await using vmplug = this.open();
    const { sandbox, source } = this;
    if (action === 'attach') await vmplug.attach(sandbox, source, { ...this.kind.options, ...limits });
    else await vmplug.detach(sandbox, source, limits);
  }

  job(action: Job['action']): Job {
    const { stateDir, sandbox, source, sysfs } = this;
    const { options } = this.kind;
    const onHost = sysfs === undefined ? {} : { sysfs: { hooks: sysfs.hooks, paths: sysfs.paths } };
    return { stateDir, sandbox, source, action, options, ...onHost };
  }

  /** `driver|override` of each function. */
  bindings(): string[] {
    const { sysfs } = this;
    const count = this.kind.made === 'group' ? 2 : 1;
    return sysfs === undefined ? [] : functions.slice(0, count).map((address) => sysfs.binding(address));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync();
  }
}

/** What a function of {@link hostWith} has before and while a VM has it. */
export const nativeBinding = 'e1000e|none';
export const leasedBinding = 'vfio-pci|vfio-pci';

/** A host with functions on drivers of their own, in one group. */
function hostWith(count: number): FakeSysfs {
  const host = fakeSysfs();
  for (const address of functions.slice(0, count)) host.addFunction(address, { group, driver: 'e1000e' });
  host.addGroupNode(group);
  return host;
}

function makeFile(path: string): void {
  writeFileSync(path, '');
  truncateSync(path, 16 << 20);
}
