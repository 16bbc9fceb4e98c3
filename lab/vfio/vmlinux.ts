import { readFile, rm, writeFile } from 'node:fs/promises';
import { runProgram } from '../guest/run-program.ts';

/** How an xz stream begins (The .xz File Format, 2.1.1.1). */
const xzMagic = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/**
 * Takes the kernel proper out of an x86 boot image that is compressed with xz, as Debian's is. QEMU starts it by PVH:
 * unpacking it in an emulated CPU is half of the time to boot.
 *
 * @throws Error when there is no xz stream in it; VmplugError `missing-package`, `start-failed` as xz fails.
 */
export async function extractVmlinux(bootImage: string, vmlinux: string): Promise<void> {
  const image = await readFile(bootImage);
  const start = image.indexOf(xzMagic);
  if (start === -1) throw new Error(`${bootImage} has no kernel that is compressed with xz`);
  const packed = `${vmlinux}.xz`;
  await writeFile(packed, image.subarray(start));
  await writeFile(vmlinux, await runProgram('xz', ['-dc', '--single-stream', packed]));
  await rm(packed);
}
