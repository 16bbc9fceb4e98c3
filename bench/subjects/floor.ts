import { setTimeout as sleep } from 'node:timers/promises';
import { RawQmp } from '../raw-qmp.ts';
import { guestPauseMs, timed, type Subject, type Times } from '../subject.ts';

/** Milliseconds between two questions: asking without a pause keeps the guest from its work. */
const pollMs = 1;

/** The commands of an attach and a detach, sent by hand: what they cost QEMU and the guest. */
export class Floor implements Subject, Disposable {
  readonly name = 'floor';
  readonly #qmp: RawQmp;
  readonly #image: string;
  #runs = 0;

  private constructor(qmp: RawQmp, image: string) {
    this.#qmp = qmp;
    this.#image = image;
  }

  static async start(socket: string, image: string): Promise<Floor> {
    return new Floor(await RawQmp.connect(socket), image);
  }

  async run(): Promise<Times> {
    const id = `floor-${++this.#runs}`;
    const started = performance.now();
    await Promise.all(this.#qmp.send(...attachCommands(id, this.#image)));
    const acknowledged = performance.now() - started;
    while (!(await this.#isLive(id))) await sleep(pollMs);
    const live = performance.now() - started;
    await sleep(guestPauseMs);
    const detach = await timed(() => this.#detach(id));
    return { 'attach-acknowledged': acknowledged, 'attach-live': live, detach };
  }

  async #isLive(id: string): Promise<boolean> {
    const path = `/machine/peripheral/${id}/virtio-backend`;
    const [reply] = this.#qmp.send({ execute: 'x-query-virtio-status', arguments: { path } });
    const { status } = (await reply) as { status: { statuses: string[] } };
    return status.statuses.some((text) => text.startsWith('VIRTIO_CONFIG_S_DRIVER_OK'));
  }

  async #detach(id: string): Promise<void> {
    const deleted = this.#qmp.deleted(id);
    await Promise.all(this.#qmp.send({ execute: 'device_del', arguments: { id } }));
    await deleted;
    await Promise.all(this.#qmp.send({ execute: 'blockdev-del', arguments: { 'node-name': id } }));
  }

  [Symbol.dispose](): void {
    this.#qmp[Symbol.dispose]();
  }
}

/** The same as vmplug's plan, and sent the same way: together. */
function attachCommands(id: string, filename: string): object[] {
  return [
    {
      execute: 'blockdev-add',
      arguments: {
        driver: 'raw',
        'node-name': id,
        'read-only': false,
        file: { driver: 'file', 'node-name': `${id}-f`, filename, 'read-only': false },
      },
    },
    {
      execute: 'device_add',
      arguments: {
        ...{ driver: 'virtio-blk-pci', bus: 'port0', addr: '00' },
        ...{ id, drive: id, serial: id, 'share-rw': false },
      },
    },
  ];
}
