/** A kernel module of a package: its file, and the names of the modules that it needs. */
export interface KernelModule {
  name: string;
  file: string;
  depends: readonly string[];
}

/** The name by which the kernel knows the module in a file: `virtio-rng.ko.xz` is `virtio_rng`. */
export function moduleName(file: string): string {
  const base = file.slice(file.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.(xz|zst|gz))?$/, '').replaceAll('-', '_');
}

/**
 * Reads which modules a module needs from the contents of its `.ko` file. The `.modinfo` section is
 * NUL-separated `key=value` text, so no ELF reader is needed.
 */
export function moduleDepends(contents: Buffer): string[] {
  for (let at = contents.indexOf('depends='); at !== -1; at = contents.indexOf('depends=', at + 1)) {
    if (at > 0 && contents[at - 1] !== 0) continue;
    const end = contents.indexOf(0, at);
    const value = contents.toString('latin1', at + 'depends='.length, end === -1 ? contents.length : end);
    return value
      .split(',')
      .filter((name) => name !== '')
      .map((name) => name.replaceAll('-', '_'));
  }
  return [];
}

/**
 * The wanted modules and all that they need, each after what it needs itself. A name that `find` does not
 * know is left out: it is built into the kernel, or this kernel does not have it.
 */
export function loadOrder(
  wanted: readonly string[],
  find: (name: string) => KernelModule | undefined,
): KernelModule[] {
  const order: KernelModule[] = [];
  const visited = new Set<string>();
  const visit = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    const module = find(name);
    if (module === undefined) return;
    for (const needed of module.depends) visit(needed);
    order.push(module);
  };
  for (const name of wanted) visit(name);
  return order;
}
