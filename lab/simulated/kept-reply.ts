import type { JsonObject, JsonValue } from '../../src/api/json.ts';
import { isRead, keptSchema, wantedModels } from './kept.ts';
import { text } from './text.ts';

/**
 * What of the answers of QEMU is compared: what a driver reads. Left out are the numbers that no
 * two runs have in common (addresses, interrupts, counts of requests) and all that is not read;
 * lists without a meaning of their order are sorted.
 */
export function keptReply(command: string, args: JsonObject, reply: JsonValue): JsonValue {
  switch (command) {
    case 'qom-list':
      return sorted(
        objects(reply)
          .map(({ name, type }) => ({ name: text(name), type: text(type) }))
          .filter((entry) => isRead(text(args['path']), entry))
          .map(({ name, type }) => `${name}: ${type}`),
      );
    case 'query-qmp-schema':
      return sortedBy(keptSchema(objects(reply)), 'name');
    case 'qom-list-types':
      return sorted(objects(reply).map(({ name }) => text(name))).filter((name) => wantedModels.has(name));
    case 'device-list-properties':
      return sorted(
        objects(reply).map(({ name, type }) => `${text(name)}:${text(type).replaceAll(' ', '')}`),
      ).join(' ');
    case 'query-pci':
      return objects(reply).map(({ bus = 0, devices = [] }) => ({ bus, devices: functions(devices) }));
    case 'query-cpus-fast':
      return objects(reply).map((each) => ({
        ...picked(each, 'cpu-index'),
        hasThread: Number(each['thread-id']) > 0,
      }));
    case 'query-chardev':
      return sortedBy(
        objects(reply)
          .filter(({ label }) => text(label).startsWith('vmplug-'))
          .map((each) => picked(each, 'label', 'filename', 'frontend-open')),
        'label',
      );
    case 'query-named-block-nodes':
      return objects(reply).map((node) => picked(node, 'node-name', 'drv', 'ro', 'file'));
    case 'query-blockstats':
      return sortedBy(objects(reply).flatMap(diskOf), 'node-name');
    case 'query-memdev':
      return objects(reply).map((each) => picked(each, 'id', 'share', 'size'));
    case 'query-memory-devices':
      return objects(reply).map(({ type = '', data = {} }) => ({ type, data: without(data, 'addr') }));
    case 'x-query-virtio-status':
      return virtioOf(reply);
    default:
      return reply;
  }
}

/** Which functions there are, what is behind them, and whether the guest has given them memory. */
function functions(devices: JsonValue): JsonObject[] {
  return objects(devices).map((device) => {
    const bridge = device['pci_bridge'];
    return {
      ...picked(device, 'bus', 'slot', 'function', 'qdev_id', 'class_info'),
      id: picked(object(device['id']), 'vendor', 'device'),
      regions: objects(device['regions'])
        .filter(({ type }) => type === 'memory')
        .map((region) => ({
          ...picked(region, 'bar', 'size', 'prefetch', 'mem_type_64'),
          assigned: BigInt(Number(region['address'])) > 0n && Number(region['address']) !== 0xffff_ffff,
        })),
      ...(bridge === undefined ? {} : { pci_bridge: bridgeOf(object(bridge)) }),
    };
  });
}

function bridgeOf({ bus, devices }: JsonObject): JsonObject {
  return {
    bus: picked(object(bus), 'number', 'secondary', 'subordinate'),
    ...(devices === undefined ? {} : { devices: functions(devices) }),
  };
}

/** Whether a disk was read, not how often. */
function diskOf({ 'node-name': node, qdev, stats }: JsonObject): JsonObject[] {
  if (qdev === undefined || node === undefined) return [];
  return [{ 'node-name': node, qdev, isRead: Number(object(stats)['rd_operations']) > 0 }];
}

function virtioOf(reply: JsonValue): JsonObject {
  const { name = '', status } = object(reply);
  const { statuses } = object(status);
  const said = Array.isArray(statuses) ? statuses.map(text) : [];
  return { name, isLive: said.some((text) => text.startsWith('VIRTIO_CONFIG_S_DRIVER_OK')) };
}

function picked(from: JsonObject, ...names: string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));
}

function without(value: JsonValue, name: string): JsonObject {
  return Object.fromEntries(Object.entries(object(value)).filter(([key]) => key !== name));
}

function objects(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map(object) : [];
}

function object(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function sorted(lines: readonly string[]): string[] {
  return lines.toSorted();
}

function sortedBy(list: readonly JsonObject[], name: string): JsonObject[] {
  return list.toSorted((one, other) => (text(one[name]) < text(other[name]) ? -1 : 1));
}
