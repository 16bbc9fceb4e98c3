import type { JsonObject } from '../../src/api/json.ts';
import { modelsWithProperties } from '../../src/hypervisors/qemu/features.ts';
import { deviceModels } from '../../src/hypervisors/simulated/device-models.ts';
import { text } from './text.ts';

/** What is kept of the answers of a real QEMU: what a driver reads, and no more. */

const readProperties = new Set([
  ...['type', 'memory', 'memory-backend', 'nvdimm', 'acpi-pcihp-bsel', 'hotplug-handler', 'addr', 'hotplug'],
  ...['shpc', 'channel', 'scsi-id', 'lun', 'dev_id', 'chassis'],
]);
const readChildren =
  /^child<(.*(pcihost|host-bridge)|virtual-css-bridge|ap-bridge|PCI|PCIE|SCSI|virtual-css-bus|ap-bus)>$/;
const containers = /^\/(machine\/peripheral|objects)$/;

/** Whether a line of `qom-list` of the object at `path` is of use. */
export function isRead(path: string, { name, type }: { name: string; type: string }): boolean {
  if (type.startsWith('child<')) {
    const isContainer = path === '/machine' && (name === 'peripheral' || name === 'unattached');
    return containers.test(path) || readChildren.test(type) || isContainer || name === 'virtio-backend';
  }
  return readProperties.has(name) || (/^child\[\d+\]$/.test(name) && type.startsWith('link<'));
}

/** Devices on no bus of the machine are left alone. */
export function readsBelow(path: string): boolean {
  return path !== '/machine/peripheral';
}

const commands = new Set(['x-query-virtio-status', 'blockdev-add', 'query-named-block-nodes']);
const events = new Set(['DEVICE_DELETED', 'DEVICE_UNPLUG_GUEST_ERROR']);

/** The entries of `query-qmp-schema` that say what a QEMU can do. */
export function keptSchema(schema: readonly JsonObject[]): JsonObject[] {
  return schema
    .filter(({ name, 'meta-type': type, values }) => {
      if (type === 'command') return commands.has(text(name));
      if (type === 'event') return events.has(text(name));
      if (type !== 'enum' || !Array.isArray(values)) return false;
      const has = (...members: string[]): boolean => members.every((member) => values.includes(member));
      return has('threads', 'native') || has('host_device', 'qcow2', 'raw');
    })
    .map(({ name = '', 'meta-type': type = '', values }) => ({
      name,
      'meta-type': type,
      ...(values === undefined ? {} : { values }),
    }));
}

/** Models that a driver plugs, or asks about. */
export const wantedModels: ReadonlySet<string> = new Set([
  ...[...deviceModels.keys(), ...modelsWithProperties],
  ...['pcie-root-port', 'pci-bridge', 'virtio-scsi-pci', 'virtio-scsi-ccw'],
]);
