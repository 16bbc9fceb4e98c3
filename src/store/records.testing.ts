import type { AttachmentRecord } from '../api/attachment.ts';
import type { OperationRecord } from '../api/operation.ts';
import type { SandboxRecord } from '../api/sandbox.ts';

/** A sandbox with nothing special about it. */
export function sandboxRecord(name: string): SandboxRecord {
  return {
    name,
    hypervisor: 'mock',
    socket: `/run/${name}.sock`,
    origin: 'adopted',
    facts: { type: 'mock', version: '1', machine: '', features: [] },
    createdAt: 1,
  };
}

/** A device of a sandbox with nothing special about it. */
export function attachmentRecord(id: string, sandbox: string): AttachmentRecord {
  return {
    id,
    sandbox,
    source: `/images/${id}`,
    kind: 'block',
    driver: 'virtio-blk',
    state: 'attached',
    host: {
      kind: 'block',
      source: `/images/${id}`,
      layers: [{ path: `/images/${id}`, format: 'raw', protocol: 'file' }],
      virtualSize: 512,
      identities: [{ key: `file:1:${id}`, mode: 'exclusive' }],
      readOnly: false,
      shareRw: false,
      major: 0,
      minor: 0,
    },
    options: {},
    place: { transport: 'pci', bus: 'port0', slot: 0, path: ['02', '00'], unplug: 'acpi' },
    generation: 1,
    plan: { vmmId: `vmplug-${id}-1`, steps: [] },
    serial: `vp${id}`,
    guest: {},
    timeline: {},
    createdAt: 1,
  };
}

/** An operation that has ended well. */
export function operationRecord(id: string, device: string, sandbox: string): OperationRecord {
  return {
    id,
    sandbox,
    device,
    action: 'attach',
    state: 'done',
    plan: { vmmId: `vmplug-${device}-1`, steps: [] },
    startedAt: 1,
    deadlineAt: 2,
    timeline: {},
    owner: { pid: 1, startTime: '1' },
  };
}
