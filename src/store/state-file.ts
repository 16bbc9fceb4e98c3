import { join } from 'node:path';

/** The file of the store in a state directory. */
export function storeFile(stateDir: string): string {
  return join(stateDir, 'vmplug.db');
}

/** Where the backup of a state's file is kept. */
export function backupOf(file: string): string {
  return `${file}.backup`;
}

/**
 * Where the name of the copy is kept that a damaged state is being restored from. While it is there the state's file
 * is not to be believed: its log may be gone already.
 */
export function restoringOf(file: string): string {
  return `${file}.restoring`;
}

/** The files of a database: itself, and what SQLite keeps beside it while it is open or after a crash. */
export function filesOf(file: string): string[] {
  return [file, `${file}-wal`, `${file}-shm`];
}
