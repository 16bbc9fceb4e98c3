import { unsuitable } from './source-errors.ts';

/**
 * The DEVNAME of a uevent file, relative to /dev; undefined when it has none. Read as v1 read it,
 * as an INI file (contract 2.7): only lines before the first `[section]` count, a key ends at the
 * first `=` or `:`, `#` or `;` begins a comment, one pair of quotes is taken off, and of two
 * DEVNAMEs the later counts. The kernel writes neither continued lines nor `%(name)s`; they are
 * not interpreted.
 * @param file what to call it in errors
 * @throws VmplugError `source-unsuitable` for a line that is no key and value
 */
export function ueventDeviceName(text: string, file: string): string | undefined {
  let name: string | undefined;
  let inSection = false;
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || /^[#;]/.test(line)) continue;
    if (line.startsWith('[')) {
      inSection = true;
      continue;
    }
    const [, key, value] = /^([^=:]+)[=:](.*)$/s.exec(line) ?? [];
    if (key === undefined || value === undefined)
      throw unsuitable(file, `its line ${JSON.stringify(line)} is not of the form KEY=VALUE`);
    if (!inSection && key.trim() === 'DEVNAME') name = plainValue(value);
  }
  return name;
}

function plainValue(value: string): string {
  const text = value.replace(/[#;].*$/, '').trim();
  return /^(?:".*"|'.*')$/.test(text) && text.length > 1 ? text.slice(1, -1) : text;
}
