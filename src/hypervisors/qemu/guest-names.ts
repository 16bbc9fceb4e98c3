import type { ExchangeOptions, GuestNames } from '../../api/hypervisor.ts';
import { QomReader, type Batch } from './qom-reader.ts';

/** Where QEMU keeps devices: those with an id, and those without. */
const containers = ['/machine/peripheral', '/machine/peripheral-anon'];

/** What is asked of a model, by the beginning of its name. A bridge or a disk has no such name. */
const sharedFolder = 'child<vhost-user-fs-';
const withoutMac = /^child<(vhost-user-|virtio-(blk|scsi|9p|rng|balloon|serial)|pcie?-|scsi-|nvdimm|vfio-)/;

/**
 * The tags and hardware addresses of every device in a QEMU, also of those that somebody else
 * plugged (`qom-get`); an address in lower case.
 */
export async function readGuestNames(batch: Batch, options: ExchangeOptions): Promise<GuestNames> {
  const qom = new QomReader(batch, options);
  const lists = await Promise.all(
    containers.map(async (container) =>
      (await qom.list(container)).map(({ name, type }) => ({ name, type, path: `${container}/${name}` })),
    ),
  );
  const devices = lists.flat().filter(({ type }) => type.startsWith('child<'));
  const [tags, macs] = await Promise.all([
    named(
      qom,
      'tag',
      devices.filter(({ type }) => type.startsWith(sharedFolder)),
    ),
    named(
      qom,
      'mac',
      devices.filter(({ type }) => !withoutMac.test(type)),
    ),
  ]);
  return { tags, macs: new Map([...macs].map(([mac, id]) => [mac.toLowerCase(), id])) };
}

async function named(
  qom: QomReader,
  property: string,
  devices: readonly { name: string; path: string }[],
): Promise<Map<string, string>> {
  const names = await Promise.all(
    devices.map(async ({ name, path }) => ({ name, value: await qom.get(path, property) })),
  );
  return new Map(names.flatMap(({ name, value }) => (typeof value === 'string' ? [[value, name]] : [])));
}
