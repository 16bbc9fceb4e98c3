import type { DeviceNumber } from '../host/device-number.ts';
import type { MountSource, VolumeProbe } from './block-volumes.ts';
import { ContainerDevices } from './container-devices.ts';
import type { Mount } from './container.ts';
import { FakeDeviceManager, FakeReceiver, request } from './fake-devices.testing.ts';
import type { LargeBars } from './large-bars.ts';

export interface Bench {
  readonly manager: FakeDeviceManager;
  readonly receiver: FakeReceiver;
  readonly container: ContainerDevices;
}

export function bench(): Bench {
  const manager = new FakeDeviceManager();
  const receiver = new FakeReceiver();
  return { manager, receiver, container: new ContainerDevices({ id: 'c1', manager, receiver }) };
}

/** Disks `/dev/a`, `/dev/b`, … with the minors 0, 1, … */
export function disks(...names: string[]): ReturnType<typeof request>[] {
  return names.map((name, Minor) => request({ ContainerPath: `/dev/${name}`, Minor }));
}

export function bindMount(parts: Partial<Mount> = {}): Mount {
  return {
    Source: '/src',
    Destination: '/data',
    Type: 'bind',
    Options: [],
    HostPath: '',
    ReadOnly: false,
    BlockDeviceID: '',
    ...parts,
  };
}

/** Everything is attached at once. */
export const noLargeBars: LargeBars = {
  machineType: 'q35',
  isLargeBar: async () => Promise.resolve(false),
};

/** A host with these sources, which says what it was asked. */
export class FakeVolumeProbe implements VolumeProbe {
  readonly asked: string[] = [];
  readonly #sources: Readonly<Record<string, { node?: DeviceNumber; on?: number }>>;

  constructor(sources: Readonly<Record<string, { node?: DeviceNumber; on?: number }>>) {
    this.#sources = sources;
  }

  async stat(source: string): Promise<MountSource> {
    await Promise.resolve();
    this.asked.push(`stat ${source}`);
    const found = this.#sources[source];
    if (found === undefined) throw Object.assign(new Error(`ENOENT: ${source}`), { code: 'ENOENT' });
    return { node: found.node, device: { major: found.on ?? 8, minor: 1 } };
  }

  async pmemDeviceInfo(source: string, destination: string): Promise<ReturnType<typeof request>> {
    await Promise.resolve();
    this.asked.push(`pmem ${source}`);
    if (!source.startsWith('/pmem')) throw new Error('no signature');
    return request({ HostPath: '/backing', ContainerPath: destination, Major: 7, Minor: 9, Pmem: true });
  }
}
