/** An entry of `linux.devices` of an OCI runtime spec (config-linux.md, "Devices"). */
export interface LinuxDevice {
  readonly type: string;
  /** In the container. */
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** An entry of `mounts` of an OCI runtime spec. */
export interface OciMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
}

/** What this room reads and changes of an OCI runtime spec; the rest of it is left as it is. */
export interface OciSpec {
  readonly mounts?: readonly OciMount[];
  readonly linux?: {
    readonly devices?: readonly LinuxDevice[];
    readonly resources?: { readonly devices?: readonly unknown[] };
  };
}
