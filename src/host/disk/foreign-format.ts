/** A disk image format that vmplug cannot plug as it is. */
interface ForeignFormat {
  name: string;
  suffixes: readonly string[];
  /** Any of these, each at its offset; a negative one counts from the end of the file. */
  magics: readonly { at: number; bytes: string }[];
}

const formats: readonly ForeignFormat[] = [
  {
    name: 'VMDK',
    suffixes: ['.vmdk'],
    magics: [
      { at: 0, bytes: 'KDMV' },
      { at: 0, bytes: 'COWD' },
      { at: 0, bytes: '# Disk DescriptorFile' },
    ],
  },
  { name: 'VHDX', suffixes: ['.vhdx'], magics: [{ at: 0, bytes: 'vhdxfile' }] },
  { name: 'VDI', suffixes: ['.vdi'], magics: [{ at: 64, bytes: '\x7f\x10\xda\xbe' }] },
  { name: 'QED', suffixes: ['.qed'], magics: [{ at: 0, bytes: 'QED\0' }] },
  {
    name: 'VHD',
    suffixes: ['.vhd', '.vpc'],
    magics: [
      { at: 0, bytes: 'conectix' },
      // A fixed-size VHD is raw data with a footer.
      { at: -512, bytes: 'conectix' },
    ],
  },
];

/**
 * The name of the format that both the file's name and its content say it has; undefined for
 * what vmplug can plug. The suffix alone says nothing (`x-flat.vmdk` is raw), nor does the
 * content alone (a guest may have written it).
 * @param start the first bytes, at least 68 where there are as many
 * @param end reads the last 512 bytes; called only when it matters
 */
export function foreignFormat(name: string, start: Buffer, end: () => Buffer): string | undefined {
  const lower = name.toLowerCase();
  const format = formats.find(({ suffixes }) => suffixes.some((suffix) => lower.endsWith(suffix)));
  const found = format?.magics.some(({ at, bytes }) => {
    const where = at < 0 ? end() : start.subarray(at);
    return where.subarray(0, bytes.length).equals(Buffer.from(bytes, 'latin1'));
  });
  return found === true ? format?.name : undefined;
}
