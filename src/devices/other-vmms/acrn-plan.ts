import { VirtioMmio } from '../../api/device-type.ts';
import type { HostDisk } from '../../api/host-device.ts';
import { vmmDeviceId } from '../../api/names.ts';
import type { Command } from '../../api/plan.ts';
import { driveSlot } from './drive-slot.ts';
import { refuseDisk, unpluggable, type VmmKind, type VmmKinds } from '../vmm-kinds.ts';

/** A VM is started with its image as drive 0 and the dummies 1 to 8 behind it. */
const firstDummy = 1;
const lastDummy = 8;

/** PCI slots: bridge 0, LPC 1, none in the reserved 2, console 3, the image 4, dummy 1 in 5. */
const slotOfImage = 4;

/** What a dummy drive has for a file. */
const noDisk = 'nodisk';

/**
 * A disk in ACRN: the file of a dummy drive is exchanged (`acrnctl blkrescan`). The command is
 * the plan's only step, so when it fails the attach has failed (W21); taking it back gives the
 * dummy its nothing again, so that the guest loses the file before the index is free (W23).
 */
const block: VmmKind<HostDisk> = {
  check(request, facts) {
    const { driver, host, options } = request;
    refuseDisk(request, facts, [
      [driver !== VirtioMmio, `ACRN's drives are not given as ${driver}`, 'choose --driver virtio-mmio'],
      [host.layers[0].path === '', 'a drive needs a file', 'give the path of the disk'],
      [host.readOnly, 'its drives were made writable, and that cannot change', 'leave --read-only out'],
      [host.layers[0].format !== 'raw', 'ACRN reads raw images only', 'convert it to raw'],
      [Object.keys(options).length > 0, 'the options of its drives cannot change', 'leave them out'],
    ]);
  },
  plan(request) {
    const { bus, slot } = driveSlot(request, firstDummy, lastDummy);
    const { path } = request.host.layers[0];
    return {
      vmmId: vmmDeviceId(request.id, request.generation),
      steps: [
        {
          summary: `give the disk to drive ${slot}`,
          run: rescan(bus, slot, path),
          undo: rescan(bus, slot, noDisk),
          undoIsRequest: true,
        },
      ],
    };
  },
  guestAddress: () => ({}),
};

function rescan(vm: string, index: number, file: string): Command {
  return { execute: 'blkrescan', arguments: { vm, slot: slotOfImage + index, file } };
}

export const acrn: VmmKinds = {
  block,
  pmem: unpluggable('ACRN'),
  vfio: unpluggable('ACRN'),
  vhostUser: unpluggable('ACRN'),
};
