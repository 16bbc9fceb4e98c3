import type { JsonObject } from '../src/api/json.ts';
import type { AttachmentRecord } from '../src/api/attachment.ts';
import { VmplugError } from '../src/api/errors.ts';
import { Vmplug } from '../src/index.ts';
import type { GuestName } from './guests.ts';
import { tellVmm, vmmHas } from './errors.testing.ts';
import { Lab } from './harness.ts';

/** The two versions of QEMU, as they end the name of a lab guest. */
export const versions = [
  { qemu: '7.2', at: '' },
  { qemu: '10.0', at: '@10' },
] as const;

/**
 * An adopted VM with a second monitor, through which somebody else works on it while vmplug holds the first one.
 * Unless told otherwise its guest never runs: what is tried there is QEMU.
 */
export class TrapVm implements AsyncDisposable {
  readonly lab: Lab = new Lab();
  readonly vmplug: Vmplug;
  readonly #second: string;

  private constructor() {
    this.#second = this.lab.path('second.qmp');
    this.vmplug = Vmplug.open({ stateDir: this.lab.stateDir, lingerMs: 60_000 });
  }

  static async start(guest: GuestName, args: readonly string[] = ['-S']): Promise<TrapVm> {
    const vm = new TrapVm();
    try {
      const second = ['-qmp', `unix:${vm.#second},server=on,wait=off`];
      await vm.lab.adopt('vm1', guest, [...args, ...second], { waits: false });
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What somebody else tells this VM; the reply, or the words of the refusal. */
  async tell(execute: string, args: JsonObject = {}): Promise<unknown> {
    try {
      return (await tellVmm(this.#second, [execute, args]))[0];
    } catch (error) {
      return error instanceof VmplugError ? error.reason : error;
    }
  }

  /** Attaches a disk, with no more evidence than a VM without a running guest can give. */
  async attach(source: string, options: Parameters<Vmplug['attach']>[2] = {}): Promise<AttachmentRecord> {
    return await this.vmplug.attach('vm1', source, { wait: 'acknowledged', timeoutMs: 60_000, ...options });
  }

  /** The error of an attach, which has to fail and to leave the VM as it was. */
  async refused(source: string, options: Parameters<Vmplug['attach']>[2] = {}): Promise<VmplugError> {
    const before = await this.has();
    const ended: unknown = await this.attach(source, options).catch((error: unknown) => error);
    if (!(ended instanceof VmplugError)) throw new Error(`${source} was attached, or: ${String(ended)}`);
    const after = await this.has();
    if (JSON.stringify(before) === JSON.stringify(after)) return ended;
    throw new Error(
      `${ended.code}, and the VM has ${JSON.stringify(after)}, before ${JSON.stringify(before)}`,
    );
  }

  /** Its devices that have an id, and its block nodes. */
  async has(): Promise<{ devices: string[]; nodes: string[] }> {
    return await vmmHas(this.#second);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vmplug[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }
}

/** The block nodes of a VM as QEMU describes them. */
export async function nodesOf(vm: TrapVm): Promise<Record<string, unknown>[]> {
  const nodes = await vm.tell('query-named-block-nodes');
  return Array.isArray(nodes) ? nodes : [];
}
