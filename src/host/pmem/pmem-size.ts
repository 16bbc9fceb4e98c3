import type { VmplugError } from '../../api/errors.ts';
import { sourceError } from '../source-errors.ts';

/** What an nvdimm's memory is mapped by. */
const pageSize = 4096n;

/**
 * The size of an nvdimm in bytes: that of its file, which has to be whole pages, at least one.
 * @throws VmplugError `pmem-size`
 */
export function pmemSize(bytes: bigint, source: string): number {
  if (bytes === 0n || bytes % pageSize !== 0n) throw unfit(bytes, source);
  return Number(bytes);
}

function unfit(bytes: bigint, source: string): VmplugError {
  const below = bytes - (bytes % pageSize);
  const above = below + pageSize;
  const nearest = below === 0n ? `${above} is` : `${below} and ${above} are`;
  return sourceError(
    'pmem-size',
    source,
    `its size is ${bytes} bytes and has to be a multiple of ${pageSize}; ${nearest} the nearest`,
    `a file can be made larger and keeps what it holds: truncate -s ${above} FILE`,
  );
}
