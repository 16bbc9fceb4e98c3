import type { JsonObject, JsonValue } from '../../../api/json.ts';

/** One object of QEMU's object model, as far as a driver looks at it. */
export interface RecordedObject {
  /** What `qom-list` says of it: `name: type`. */
  readonly has: readonly string[];
  /** What `qom-get` says of those that are no links to devices. */
  readonly values: Readonly<Record<string, JsonValue>>;
}

/** A model of devices: what one of it has, whatever its id. */
export interface RecordedModel {
  /** By the path below the device; `{id}` stands for its id, in paths and in values. */
  readonly objects: Readonly<Record<string, RecordedObject>>;
  /** What `query-pci` says of it before a guest has assigned anything. */
  readonly pci?: JsonObject;
  /** What `x-query-virtio-status` calls it. */
  readonly virtio?: string;
}

/** As `query-version` says it. */
export type QemuVersion = JsonObject & {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
};

/** `7.2.22` */
export function versionText({ qemu }: QemuVersion): string {
  return `${qemu.major}.${qemu.minor}.${qemu.micro}`;
}

/**
 * What a real QEMU said of itself, kept small: `lab/simulated/record.ts` writes these. A machine
 * started with `-S`, with one device of each model, which are taken out of the rest of it.
 */
export interface RecordedQemu {
  readonly version: QemuVersion;
  /** The entries of `query-qmp-schema` that a driver looks for. */
  readonly schema: readonly JsonObject[];
  /** Types of devices, as `qom-list-types` names them. */
  readonly types: readonly string[];
  /** Of each model its properties, as `name:type` with spaces in between. */
  readonly properties: Readonly<Record<string, string>>;
  /** By path. */
  readonly objects: Readonly<Record<string, RecordedObject>>;
  /** What it answers to questions without arguments. */
  readonly answers: Readonly<Record<string, JsonValue>>;
  readonly models: Readonly<Record<string, RecordedModel>>;
}
