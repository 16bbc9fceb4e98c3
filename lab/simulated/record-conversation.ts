import type { ForeignQemu } from '../foreign-qemu.ts';
import { Lab } from '../harness.ts';
import { startRecordingProxy } from './recording-proxy.ts';
import { converse } from './scenario.ts';
import { transcriptOf, type Said } from './transcript.ts';

/** The arguments of a QEMU with what `vmplug sandbox run --ports 2` gives it. */
export const twoPorts: readonly string[] = [
  ...['-machine', 'q35'],
  ...['-device', 'pcie-root-port,id=port0,bus=pcie.0,addr=2.0,chassis=1,io-reserve=0'],
  ...['-device', 'pcie-root-port,id=port1,bus=pcie.0,addr=3.0,chassis=2,io-reserve=0'],
  ...['-device', 'virtio-scsi-pci,id=scsi0,addr=1e'],
];

/** Lets vmplug adopt a VM and plug disks, then speaks to it by hand, and keeps all that was said. */
export async function recordConversation(
  start: (directory: string) => Promise<ForeignQemu>,
): Promise<Said[]> {
  await using lab = new Lab();
  await using qemu = await start(lab.directory);
  await using proxy = await startRecordingProxy(lab.path('recorded.qmp'), qemu.qmp);
  const image = lab.image('disk.img');
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', proxy.path);
  for (const driver of ['virtio-blk', 'virtio-scsi']) {
    await lab.ok('attach', 'vm', image, '--driver', driver);
    await lab.ok('doctor');
    await lab.ok('detach', 'vm', image);
  }
  await converse(proxy.path, image);
  return transcriptOf(proxy.lines, { [lab.directory]: '/lab' });
}
