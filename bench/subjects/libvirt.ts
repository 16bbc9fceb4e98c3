import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureGuestImage, waitForGuest } from '../../lab/guest/index.ts';
import { startLibvirt } from '../../lab/setup/libvirt.ts';
import { guestPauseMs, timed, type Subject, type Times } from '../subject.ts';
import { diskXml, domainXml } from './libvirt-xml.ts';
import { VirshSession } from './virsh-session.ts';

const domain = 'bench';
const bootMs = 60_000;

/** libvirt's attachDevice and detachDevice, by a client that stays connected. */
export class LibvirtSubject implements Subject, AsyncDisposable {
  readonly name = 'libvirt';
  readonly #virsh: VirshSession;
  readonly #disk: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(virsh: VirshSession, disk: string, resources: AsyncDisposableStack) {
    this.#virsh = virsh;
    this.#disk = disk;
    this.#resources = resources;
  }

  /** Starts a libvirtd of its own, and a domain like the other subjects' VMs in it. */
  static async start(directory: string, image: string, ports: number): Promise<LibvirtSubject> {
    await using resources = new AsyncDisposableStack();
    const libvirt = resources.use(await startLibvirt(join(directory, 'libvirt')));
    const execSocket = join(directory, 'libvirt-exec.sock');
    const guest = await ensureGuestImage();
    const definition = join(directory, 'domain.xml');
    writeFileSync(definition, domainXml({ name: domain, ports, execSocket, directory, ...guest }));
    const disk = join(directory, 'disk.xml');
    writeFileSync(disk, diskXml(image, 'libvirt-bench'));
    await libvirt.virsh('create', definition);
    await waitForGuest(execSocket, { timeoutMs: bootMs });
    const virsh = resources.use(await VirshSession.start(libvirt.uri));
    return new LibvirtSubject(virsh, disk, resources.move());
  }

  async run(): Promise<Times> {
    const acknowledged = await timed(() => this.#virsh.run(`attach-device ${domain} ${this.#disk} --live`));
    if (!(await this.#hasDisk())) throw new Error('libvirt says that it attached the disk, but has none');
    await sleep(guestPauseMs);
    const detach = await timed(() => this.#virsh.run(`detach-device ${domain} ${this.#disk} --live`));
    // libvirt waits for DEVICE_DELETED itself, for 5 s; a device that is still there then is an error here.
    if (await this.#hasDisk()) throw new Error('libvirt says that it detached the disk, but still has it');
    return { 'attach-acknowledged': acknowledged, detach };
  }

  async #hasDisk(): Promise<boolean> {
    return (await this.#virsh.run(`domblklist ${domain}`)).includes('vda');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }
}
