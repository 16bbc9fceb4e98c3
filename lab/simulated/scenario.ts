import type { JsonObject } from '../../src/api/json.ts';
import { QmpConnection } from '../../src/hypervisors/qemu/qmp/index.ts';

const limits = { timeoutMs: 60_000 };

/**
 * What is said to a QEMU by hand, beside what vmplug says by itself: refusals of every kind, and a
 * VM that is paused. It has the ports `port0` and `port1`, the controller `scsi0` and a guest that
 * is up, and is left as it was.
 * @param image path of a raw image
 */
export async function converse(socket: string, image: string): Promise<void> {
  await using qmp = await QmpConnection.connect(socket, limits);
  const say = async (execute: string, args?: JsonObject): Promise<void> => {
    // A refusal is what most of this is about.
    await qmp.execute(execute, args, limits).catch(() => undefined);
  };
  const gone = async (id: string, work: () => Promise<void>): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    using _ = { [Symbol.dispose]: qmp.onDeviceEvent(id, () => resolve()) };
    await work();
    const late = setTimeout(() => reject(new Error(`${id} did not leave`)), limits.timeoutMs);
    await promise.finally(() => clearTimeout(late));
  };
  const plug = (id: string, more: JsonObject): Promise<void> =>
    say('device_add', { driver: 'virtio-blk-pci', id, bus: 'port0', addr: '00', drive: 'b0', ...more });
  const node = (name: string, filename: string): JsonObject => ({
    ...{ driver: 'raw', 'node-name': name, 'read-only': false },
    file: { driver: 'file', 'node-name': `${name}-f`, filename },
  });

  await say('no-such-command');
  await say('qmp_capabilities');
  await say('qom-list', { path: '/nowhere' });
  await say('qom-get', { path: '/machine', property: 'nothing' });
  await say('qom-list');
  await say('x-query-virtio-status', { path: '/machine/peripheral/d0/virtio-backend' });
  await say('device_del', { id: 'd0' });
  await say('blockdev-del', { 'node-name': 'b0' });
  await say('chardev-remove', { id: 'c0' });
  await say('netdev_del', { id: 'n0' });
  await say('object-del', { id: 'm0' });

  await say('blockdev-add', node('b0', image));
  await say('blockdev-add', node('b0', image));
  await say('blockdev-del', { 'node-name': 'b0-f' });
  await plug('d0', { driver: 'no-such-model' });
  await plug('d0', { bus: 'nowhere' });
  await plug('d0', { bus: 'pcie.0' });
  await plug('d0', { bus: 'scsi0.0' });
  await plug('d0', { drive: 'nothing' });
  await plug('d0', { 'no-such-property': 1 });
  await plug('d0', { 'share-rw': 'yes' });
  await plug('0d', { drive: 'nothing' });
  await say('stop');
  await say('stop');
  await say('query-status');
  await plug('d0', { serial: 'first' });
  await plug('d0', { bus: 'port1' });
  await plug('d1', { bus: 'port1' });
  await say('blockdev-add', node('b1', image));
  await plug('d1', { drive: 'b1' });
  await say('blockdev-del', { 'node-name': 'b0' });
  await say('query-named-block-nodes', { flat: true });
  await say('qom-list', { path: '/machine/peripheral' });
  await say('qom-list', { path: '/machine/peripheral/port0/port0' });
  await say('qom-get', { path: '/machine/peripheral/port0/port0', property: 'child[0]' });
  await say('device_del', { id: 'd0' });
  await say('device_del', { id: 'd0' });
  await gone('d0', () => say('cont'));
  await say('query-status');
  await say('device_del', { id: 'd0' });
  await say('blockdev-del', { 'node-name': 'b0' });
  await say('blockdev-del', { 'node-name': 'b1' });

  await say('blockdev-add', node('b0', image));
  const disk = { driver: 'scsi-hd', bus: 'scsi0.0', channel: 0, 'scsi-id': 0, lun: 1, drive: 'b0' };
  await say('device_add', { ...disk, id: 's0' });
  await say('blockdev-add', node('b1', image));
  await say('device_add', { ...disk, id: 's1', drive: 'b1' });
  await say('qom-list', { path: '/machine/peripheral/scsi0/virtio-backend/scsi0.0' });
  await gone('s0', () => say('device_del', { id: 's0' }));
  await say('blockdev-del', { 'node-name': 'b0' });
  await say('blockdev-del', { 'node-name': 'b1' });
}
