import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cpioArchive } from '../guest/cpio.ts';
import { inittab } from '../guest/init.ts';
import { seen } from '../seen.ts';
import { addNvme, hasNativeUse } from './devices.ts';
import { driverOf } from './functions.ts';
import { loadMtty, loopBackScript, makeMediated, mediatedDriver, removeScript } from './mediated.ts';
import { until } from './outer.ts';
import { useOuter } from './use-outer.ts';

/**
 * Goes over the inner guest's own files: the guest says on its console what its first NVMe disk begins with, and what
 * its serial port on PCI gives back; the machine's own ports are not on PCI.
 */
const report = cpioArchive([
  { kind: 'file', path: 'etc/inittab', data: `${inittab}::once:/etc/report\n` },
  {
    kind: 'file',
    path: 'etc/report',
    mode: 0o755,
    data: `#!/bin/sh
until [ -b /dev/nvme0n1 ]; do sleep 0.2; done
IFS= read -r words </dev/nvme0n1
echo "the disk begins with: $words" >/dev/console
back=$(
${loopBackScript('*', 'there and back')}
)
echo "the port gave back: $back" >/dev/console
`,
  },
]);

describe('a VM that is started with an NVMe disk and a mediated device', () => {
  const outer = useOuter();

  it('has them, and lets go of them as of ones that were plugged later', async (context) => {
    const host = outer();
    const { address } = await addNvme(host, { port: 0 }, { 0: 'cold words\n' });
    const uuid = 'c9f1e8a6-5a3d-11e8-99ce-479cbab002e4';
    await loadMtty(host);
    await makeMediated(host, uuid);
    await writeFile(join(host.work, 'report.cpio'), report);
    await host.sh('cat /inner/initrd /given/report.cpio >/run/initrd');

    const vm = [
      '--kernel',
      '/inner/vmlinuz',
      '--initrd',
      '/run/initrd',
      '--accel',
      'kvm',
      '--memory',
      '128M',
    ];
    const sandbox = await host.ok<{ devices: { id: string; source: string }[] }>(
      ...['sandbox', 'run', 'cold', ...vm, '--qemu', '/q10/usr/bin/qemu-system-x86_64', '--timeout', '300s'],
      ...['--wait', 'enumerated', '--cold-plug', `vfio:${address}`, '--cold-plug', `mdev:${uuid}`],
    );
    const attached = { state: 'attached', kind: 'vfio', evidence: 'enumerated' };
    expect(sandbox.devices).toMatchObject([attached, attached]);
    expect(await driverOf(host, address)).toBe('vfio-pci');
    for (const words of ['begins with: cold words', 'gave back: there and back']) {
      await host.sh(`until grep '${words}' /run/state/sandboxes/cold/console.log; do sleep 0.2; done`);
    }
    const facts = { machine: 'q35', qemu: '10.0.2', way: 'cold-plug', evidence: 'enumerated' } as const;
    for (const kind of ['vfio-pci (NVMe)', 'vfio-pci (mediated device)'])
      seen(context, { ...facts, kind, address: 'PCI path' });

    for (const { id } of sandbox.devices)
      expect(await host.ok('detach', 'cold', id, '--timeout', '300s')).toMatchObject({ state: 'released' });
    expect([await driverOf(host, address), await mediatedDriver(host, uuid)]).toEqual(['nvme', 'mtty']);
    await until('the disk is back', () => hasNativeUse(host, address));
    await host.sh(removeScript(uuid));
    await host.ok('sandbox', 'stop', 'cold');
  });
});
