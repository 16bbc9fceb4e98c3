import type { Evidence } from '../../api/evidence.ts';
import type { VmmFacts } from '../../api/hypervisor.ts';
import type { Place } from '../../api/place.ts';
import { hasQuirk } from './quirks.ts';

/** By which of QEMU's answers it is told how far the guest is with a device. */
export interface DeviceSigns {
  /** The guest's driver sets virtio's DRIVER_OK (`x-query-virtio-status`). */
  readonly status: boolean;
  /** The guest reads from a disk of QEMU's own block layer (`query-blockstats`). */
  readonly reads: boolean;
  /** The guest assigns the BARs of a PCI function (`query-pci`). */
  readonly bars: boolean;
}

const virtioModel = /^(virtio|vhost-user)-.*-(pci|ccw)$/;
const diskModel = /^(virtio-blk-(pci|ccw)|scsi-(hd|cd|block|generic))$/;

/**
 * What a device can show at its place. Of a model that has nothing of its own to show, what is left
 * is that QEMU has it: an nvdimm, crypto adapters. Pure.
 *
 * @param model QEMU's name of it, `virtio-blk-pci`
 */
export function signsOf(model: string, place: Place, facts: VmmFacts): DeviceSigns {
  const status =
    virtioModel.test(model) &&
    facts.features.includes('command:x-query-virtio-status') &&
    // The question itself would end the VM.
    !(model.startsWith('vhost-user-scsi-') && hasQuirk(facts.version, 'status-of-vhost-user-scsi-crashes'));
  return { status, reads: !status && diskModel.test(model), bars: place.transport === 'pci' };
}

/** The strongest evidence that there can be. */
export function bestOf({ status, reads, bars }: DeviceSigns): Evidence {
  if (status || reads) return 'live';
  return bars ? 'enumerated' : 'acknowledged';
}
