/** Where the kernel's trees are. Tests point it at a tree of their own. */
export interface HostPaths {
  sys: string;
  proc: string;
  dev: string;
}

export const defaultHostPaths: HostPaths = { sys: '/sys', proc: '/proc', dev: '/dev' };
