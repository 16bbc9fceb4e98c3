import { constants, open } from 'node:fs/promises';
import { PfnSignature, PfnSignatureOffset } from '../../api/device-type.ts';

/**
 * Whether a file has the info block of an nvdimm namespace where Linux looks for it
 * (contract 2.10). False for whatever cannot be read.
 */
export async function hasPFNSignature(path: string): Promise<boolean> {
  try {
    // O_NONBLOCK: a FIFO must not hang us.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(PfnSignature.length);
    await file.read(bytes, 0, bytes.length, PfnSignatureOffset);
    return bytes.toString('latin1') === PfnSignature;
  } catch {
    return false;
  }
}
