import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../api/device.ts';
import { defaultHostHooks, type HostHooks } from '../api/config.ts';
import { BlockDevice } from '../devices/managed/block-device.ts';
import { infoOf, TestHost } from '../devices/managed/device.testing.ts';
import { VFIODevice } from '../devices/managed/vfio-device.ts';
import { VhostUserBlkDevice } from '../devices/managed/vhost-user-blk-device.ts';
import { VhostUserFSDevice } from '../devices/managed/vhost-user-fs-device.ts';
import { VhostUserNetDevice } from '../devices/managed/vhost-user-net-device.ts';
import { VhostUserSCSIDevice } from '../devices/managed/vhost-user-scsi-device.ts';
import { groupMembers } from '../host/vfio/iommu-group.ts';
import { listenOn } from '../host/vhost-user/listener.testing.ts';
import { fakeSysfs, type FakeSysfs } from '../host/vfio/sysfs.testing.ts';
import type { HostTrees } from './host-device-of.ts';

/** The members of groups as the fake sysfs has them. */
class GroupHost extends TestHost {
  readonly #hooks: HostHooks;

  constructor(hooks: HostHooks) {
    super();
    this.#hooks = hooks;
  }

  override async groupMembers(hostPath: string): ReturnType<typeof groupMembers> {
    return groupMembers(hostPath, this.#hooks);
  }

  override async groupPath(): Promise<string> {
    return Promise.resolve('/dev/vfio/7');
  }
}

/** One device of each kind that is passed to a guest, with real files and sockets behind them. */
export class EveryKind implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'vmplug-kinds-'));
  readonly #stack = new AsyncDisposableStack();
  readonly #sysfs: FakeSysfs;
  readonly #isCold: boolean;
  #made = 0;

  private constructor(isCold: boolean) {
    this.#isCold = isCold;
    this.#sysfs = this.#stack.use(fakeSysfs());
    this.#stack.defer(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** @param isCold whether the devices are for the boot configuration */
  static async open(isCold: boolean): Promise<EveryKind> {
    const kinds = new EveryKind(isCold);
    for (const name of ['blk', 'scsi', 'net', 'fs']) kinds.#stack.use(await listenOn(kinds.#path(name)));
    return kinds;
  }

  get trees(): HostTrees {
    return { hooks: { ...defaultHostHooks, ...this.#sysfs.hooks }, paths: this.#sysfs.paths };
  }

  disk(driver: string): BlockDevice {
    const name = `disk${this.#made}`;
    writeFileSync(this.#path(name), Buffer.alloc(1 << 20));
    return new BlockDevice(
      this.#info({ HostPath: this.#path(name), DriverOptions: { 'block-driver': driver } }),
    );
  }

  pmem(): Device {
    writeFileSync(this.#path('pmem'), Buffer.alloc(2 << 20));
    return new BlockDevice(
      this.#info({ HostPath: this.#path('pmem'), Pmem: true, DriverOptions: { 'block-driver': 'nvdimm' } }),
    );
  }

  /** A group of two functions and the bridge above them. */
  group(): VFIODevice {
    this.#sysfs.addFunction('0000:3a:00.0', { group: '7', class: '0x060400', driver: 'pcieport' });
    for (const address of ['0000:3b:00.0', '0000:3b:00.1']) {
      this.#sysfs.addFunction(address, { group: '7', driver: 'vfio-pci' });
    }
    this.#sysfs.addGroupNode('7');
    return new VFIODevice(
      this.#info({ HostPath: '/dev/vfio/7' }),
      new GroupHost(this.trees.hooks ?? defaultHostHooks),
    );
  }

  vhostUserBlk(): Device {
    return new VhostUserBlkDevice(this.#info({ HostPath: this.#path('blk') }));
  }

  vhostUserScsi(): Device {
    return new VhostUserSCSIDevice(this.#info({ HostPath: this.#path('scsi') }), new TestHost());
  }

  vhostUserNet(): Device {
    const MacAddress = '52:54:00:12:34:56';
    return new VhostUserNetDevice(this.#info({ HostPath: this.#path('net') }), new TestHost(), {
      MacAddress,
    });
  }

  vhostUserFs(): Device {
    return new VhostUserFSDevice(this.#info({ HostPath: this.#path('fs') }), new TestHost(), {
      Tag: 'share',
    });
  }

  all(): Device[] {
    return [
      this.disk('virtio-blk'),
      this.disk('virtio-scsi'),
      this.disk('virtio-blk-ccw'),
      this.pmem(),
      this.group(),
      this.vhostUserBlk(),
      this.vhostUserScsi(),
      this.vhostUserNet(),
      this.vhostUserFs(),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #info(given: Parameters<typeof infoOf>[0]): ReturnType<typeof infoOf> {
    this.#made += 1;
    const ID = this.#made.toString(16).padStart(16, '0');
    return infoOf({ ID, DevType: 'b', ContainerPath: '/dev/x', ColdPlug: this.#isCold, ...given });
  }

  #path(name: string): string {
    return join(this.directory, name);
  }
}
