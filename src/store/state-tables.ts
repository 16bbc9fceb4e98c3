/** A table of the state with what tells its rows apart. */
export interface StateTable {
  readonly name:
    'sandboxes' | 'attachments' | 'operations' | 'managed_devices' | 'v1_states' | 'leases' | 'image_formats';
  /** The columns of its key, in the order in which the table is kept. */
  readonly key: readonly string[];
  /** Whether it has a JSON document in the column `record`. */
  readonly hasRecord: boolean;
}

/**
 * The tables that everything can be made of again, those first that others refer to. Claims and places
 * are in the records of the attachments too.
 */
export const stateTables: readonly StateTable[] = [
  { name: 'sandboxes', key: ['name'], hasRecord: true },
  { name: 'attachments', key: ['seq'], hasRecord: true },
  { name: 'operations', key: ['seq'], hasRecord: true },
  { name: 'managed_devices', key: ['sandbox', 'id'], hasRecord: true },
  { name: 'v1_states', key: ['sandbox'], hasRecord: false },
  { name: 'leases', key: ['iommu_group'], hasRecord: true },
  { name: 'image_formats', key: ['key'], hasRecord: false },
];
