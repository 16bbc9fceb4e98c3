import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachmentRecord } from '../../api/attachment.ts';
import { VFIODeviceNormalType } from '../../api/device-info.ts';
import type { HostVfioGroup } from '../../api/host-device.ts';
import { blockKey } from '../../host/device-number.ts';
import { identityAt } from '../../host/disk/host-usage.ts';
import { boundDriver, isVfioPciDriver } from '../../host/vfio/pci-driver.ts';
import type { OperationContext } from '../../operations/context.ts';
import { person, type Finding } from './finding.ts';

type HostContext = Pick<OperationContext, 'store' | 'sandbox' | 'sysfs'>;

/**
 * Host devices that are no longer what was attached: files that were deleted or replaced, nodes that are
 * gone, functions that vfio-pci no longer has. The VM goes on with what it opened, and nothing of it is
 * changed here.
 */
export function changedHosts({ store, sandbox, sysfs }: HostContext): Finding[] {
  const attached = store
    .read((tx) => tx.attachments(sandbox.name))
    .filter(({ state }) => state === 'attached' || state === 'detaching');
  return attached.flatMap((attachment) => {
    const { host } = attachment;
    switch (host.kind) {
      case 'block':
        return host.layers.flatMap(({ path }) => changedPath(attachment, path));
      case 'pmem':
        return changedPath(attachment, host.path);
      case 'vfio':
        return changedGroup(attachment, host, sysfs.hooks.SysBusPciDevicesPath);
      case 'vhost-user-blk':
      case 'vhost-user-scsi':
      case 'vhost-user-net':
      case 'vhost-user-fs':
        return [];
    }
  });
}

/** A file is claimed by device and inode: another one of the same name has others. */
function changedPath(attachment: AttachmentRecord, path: string): Finding[] {
  const now = identityAt(path);
  const key = now?.kind === 'block' ? blockKey(now.device) : now?.key;
  const claimed = attachment.host.identities.map((identity) => identity.key);
  if (key !== undefined && claimed.some((each) => isOf(each, key))) return [];
  const what =
    key === undefined
      ? `${path} is gone from this host`
      : `${path} is another file by now than the one that was attached`;
  const { sandbox, id, plan } = attachment;
  const [leave, command] =
    plan.staysUntilVmEnds === undefined
      ? ['detach it', `vmplug detach ${sandbox} ${id}`]
      : ['end the VM, which it cannot leave before', `vmplug sandbox stop ${sandbox}, when the VM may end`];
  return [
    {
      ...about(attachment),
      what,
      why: 'the VM goes on with the one that it opened, and what the guest writes goes there',
      remedy: `save in the guest what matters, then ${leave}; a new attach takes what is there by then`,
      plan: [
        person('save in the guest what matters: nothing but this VM may have that file any more'),
        person(command),
      ],
      truths: { recorded: attachment.state, host: key === undefined ? 'gone' : 'replaced' },
    },
  ];
}

/** `file:1:2` is what `file:1:2`, `file:1:2@0+512` and `file:1:2/parts` are of. */
function isOf(claimed: string, key: string): boolean {
  return claimed === key || claimed.startsWith(`${key}@`) || claimed.startsWith(`${key}/`);
}

function changedGroup(
  attachment: AttachmentRecord,
  { group, functions }: HostVfioGroup,
  devices: string,
): Finding[] {
  return functions.flatMap(({ type, address }): Finding[] => {
    const directory = join(devices, address);
    if (type !== VFIODeviceNormalType) return [];
    const driver = existsSync(directory) ? boundDriver(directory) : undefined;
    if (driver !== undefined && isVfioPciDriver(driver)) return [];
    const state = driver === undefined ? 'is no longer on this host' : `has ${driver ?? 'no driver'} by now`;
    return [
      {
        ...about(attachment),
        what: `${address} of IOMMU group ${group} ${state}, and not vfio-pci`,
        why: 'somebody else has taken it from the VM, or it was pulled out',
        remedy: `detach it: vmplug detach ${attachment.sandbox} ${attachment.id}`,
        plan: [person(`vmplug detach ${attachment.sandbox} ${attachment.id}`)],
        truths: { recorded: attachment.state, host: driver === undefined ? 'gone' : (driver ?? 'no driver') },
      },
    ];
  });
}

function about({
  sandbox,
  id,
}: AttachmentRecord): Pick<Finding, 'problem' | 'sandbox' | 'device' | 'repaired'> {
  return { problem: 'host-changed', sandbox, device: id, repaired: false };
}
