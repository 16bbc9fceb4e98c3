/**
 * The schema, as the list of steps that lead to it. `user_version` counts the steps that a
 * file has seen; steps are only ever added.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE sandboxes (
    name TEXT PRIMARY KEY,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE attachments (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sandbox TEXT NOT NULL REFERENCES sandboxes(name) ON DELETE CASCADE,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX attachments_of_sandbox ON attachments(sandbox);

  CREATE TABLE claims (
    key TEXT NOT NULL,
    device TEXT NOT NULL REFERENCES attachments(id) ON DELETE CASCADE,
    sandbox TEXT NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('exclusive', 'shared-write', 'shared-read')),
    PRIMARY KEY (key, device)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX one_exclusive_claim ON claims(key) WHERE mode = 'exclusive';
  CREATE INDEX claims_of_device ON claims(device);

  CREATE TABLE places (
    sandbox TEXT NOT NULL,
    place TEXT NOT NULL,
    device TEXT NOT NULL REFERENCES attachments(id) ON DELETE CASCADE,
    PRIMARY KEY (sandbox, place)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX places_of_device ON places(device);

  CREATE TABLE operations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    sandbox TEXT NOT NULL REFERENCES sandboxes(name) ON DELETE CASCADE,
    device TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX operations_of_device ON operations(device);
  CREATE INDEX operations_of_sandbox ON operations(sandbox);

  CREATE TABLE image_formats (
    key TEXT PRIMARY KEY,
    format TEXT NOT NULL CHECK (format IN ('raw', 'qcow2'))
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE INDEX unsettled_attachments ON attachments(sandbox) WHERE record ->> 'state' <> 'attached';

  CREATE TABLE managed_devices (
    sandbox TEXT NOT NULL REFERENCES sandboxes(name) ON DELETE CASCADE,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (sandbox, id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE v1_states (
    sandbox TEXT PRIMARY KEY REFERENCES sandboxes(name) ON DELETE CASCADE,
    document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // A lease names an attachment and a sandbox without referring to them: it outlives both.
  `
  CREATE TABLE leases (
    iommu_group TEXT PRIMARY KEY,
    device TEXT NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];
