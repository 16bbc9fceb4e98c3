import type { DiskOptions } from '../api/attachment.ts';
import type { HostDisk, ImageLayer } from '../api/host-device.ts';
import type { JsonObject } from '../api/json.ts';

/**
 * The arguments of `blockdev-add` for a disk: one named node for the image, one for its file,
 * and the same for everything it is backed by. Formats, paths and the end of the backing
 * chain are all given explicitly, so that QEMU probes nothing
 * (QEMU, docs/interop/qemu-qmp-ref, BlockdevOptions).
 */
export function blockNodes(disk: HostDisk, name: string, options: DiskOptions): JsonObject {
  const [top, ...below] = disk.layers;
  const settings = nodeSettings(options);
  return formatNode(top, below, name, { ...settings, 'read-only': disk.readOnly }, 0);
}

function formatNode(
  layer: ImageLayer,
  below: readonly ImageLayer[],
  name: string,
  settings: JsonObject,
  depth: number,
): JsonObject {
  const nodeName = depth === 0 ? name : `${name}-b${depth.toString(36)}`;
  return {
    driver: layer.format,
    'node-name': nodeName,
    ...formatSettings(settings),
    file: {
      driver: layer.protocol,
      'node-name': depth === 0 ? `${name}-f` : `${nodeName}f`,
      filename: layer.path,
      ...settings,
    },
    ...(layer.format === 'qcow2' ? { backing: backingNode(below, name, depth) } : {}),
  };
}

function backingNode(below: readonly ImageLayer[], name: string, depth: number): JsonObject | null {
  const [next, ...rest] = below;
  return next === undefined ? null : formatNode(next, rest, name, { 'read-only': true }, depth + 1);
}

function nodeSettings(options: DiskOptions): JsonObject {
  const cache = options.cache === undefined ? undefined : cacheFlags[options.cache];
  return {
    ...(cache === undefined ? {} : { cache: { direct: cache.direct, 'no-flush': cache.noFlush } }),
    ...(options.aio === undefined ? {} : { aio: options.aio }),
    ...(options.discard === undefined ? {} : { discard: options.discard }),
  };
}

/** `aio` belongs to the protocol driver; a format driver refuses it. */
function formatSettings(settings: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => name !== 'aio'));
}

/** QEMU's cache modes (man qemu-system, `cache=`), taken apart into what `blockdev-add` and the device take. */
const cacheFlags = {
  none: { direct: true, noFlush: false, writeCache: true },
  writeback: { direct: false, noFlush: false, writeCache: true },
  writethrough: { direct: false, noFlush: false, writeCache: false },
  directsync: { direct: true, noFlush: false, writeCache: false },
  unsafe: { direct: false, noFlush: true, writeCache: true },
} as const;

/** Whether the guest is shown a volatile write cache; `undefined` keeps QEMU's default. */
export function writeCache(options: DiskOptions): 'on' | 'off' | undefined {
  if (options.cache === undefined) return undefined;
  return cacheFlags[options.cache].writeCache ? 'on' : 'off';
}

/** Whether the page cache is passed by, which `aio=native` needs. */
export function bypassesPageCache(options: DiskOptions): boolean {
  return options.cache !== undefined && cacheFlags[options.cache].direct;
}
