/**
 * Commits a few transactions and dies before anything can be put in order: `killed-writer.testing.ts
 * DIRECTORY [checkpointed]`; `checkpointed`: the log has been copied into the database, and stays.
 */
import { DatabaseSync } from 'node:sqlite';
import { attachmentRecord, operationRecord, sandboxRecord } from './records.testing.ts';
import { SqliteStore } from './sqlite-store.ts';
import { storeFile } from './state-file.ts';

const [directory = '', checkpointed] = process.argv.slice(2);
const store = SqliteStore.open(directory);
store.write((tx) => tx.putSandbox(sandboxRecord('vm')));
for (const [added, removed] of [
  ['a', undefined],
  ['b', undefined],
  ['c', 'a'],
] as const) {
  store.write((tx) => {
    tx.putAttachment(attachmentRecord(added, 'vm'));
    tx.claim([{ key: `file:1:${added}`, mode: 'exclusive' }], added, 'vm');
    tx.takePlace('vm', `place of ${added}`, added);
    tx.putOperation(operationRecord(`op-${added}`, added, 'vm'));
    if (removed !== undefined) tx.deleteAttachment(removed);
  });
}
if (checkpointed !== undefined) new DatabaseSync(storeFile(directory)).exec('PRAGMA wal_checkpoint(FULL)');
process.kill(process.pid, 'SIGKILL');
