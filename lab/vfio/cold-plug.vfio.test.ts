import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cpioArchive } from '../guest/cpio.ts';
import { inittab } from '../guest/init.ts';
import { seen } from '../seen.ts';
import { addNvme, hasNativeUse } from './devices.ts';
import { driverOf } from './functions.ts';
import { until } from './outer.ts';
import { useOuter } from './use-outer.ts';

/** Goes over the inner guest's own files: the guest says on its console what its first NVMe disk begins with. */
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
`,
  },
]);

describe('a VM that is started with an NVMe disk', () => {
  const outer = useOuter();

  it('has it, and lets go of it as of one that was plugged later', async (context) => {
    const host = outer();
    const { address } = await addNvme(host, { port: 0 }, { 0: 'cold words\n' });
    await writeFile(join(host.work, 'report.cpio'), report);
    await host.sh('cat /inner/initrd /work/report.cpio >/run/initrd');

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
    const sandbox = await host.ok<{ devices: { id: string }[] }>(
      ...['sandbox', 'run', 'cold', ...vm, '--qemu', '/q10/usr/bin/qemu-system-x86_64', '--timeout', '300s'],
      ...['--wait', 'enumerated', '--cold-plug', `vfio:${address}`],
    );
    expect(sandbox.devices).toMatchObject([{ state: 'attached', kind: 'vfio', evidence: 'enumerated' }]);
    expect(await driverOf(host, address)).toBe('vfio-pci');
    await host.sh(
      `until grep 'begins with: cold words' /run/state/sandboxes/cold/console.log; do sleep 0.2; done`,
    );
    const facts = { kind: 'vfio-pci (NVMe)', machine: 'q35', qemu: '10.0.2' } as const;
    seen(context, { ...facts, way: 'cold-plug', evidence: 'enumerated', address: 'PCI path' });

    const [{ id } = { id: '' }] = sandbox.devices;
    expect(await host.ok('detach', 'cold', id, '--timeout', '300s')).toMatchObject({ state: 'released' });
    expect(await driverOf(host, address)).toBe('nvme');
    await until('the disk is back', () => hasNativeUse(host, address));
    await host.ok('sandbox', 'stop', 'cold');
  });
});
