/**
 * Restores a state and is killed on the way: `killed-restore.testing.ts DIRECTORY STEP`, with STEP counted from 1
 * over everything that changes the file system; a copy is two steps, and is cut off in its middle at the second.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [directory = '', at] = process.argv.slice(2);
let left = Number(at);

function step(): boolean {
  left -= 1;
  return left === 0;
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Whatever comes before `work` has been done, and nothing of it. */
function before<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    if (step()) die();
    return work(...args);
  };
}

const { copyFileSync } = fs;
fs.copyFileSync = (from, to) => {
  if (step()) die();
  if (step()) {
    const bytes = fs.readFileSync(from);
    fs.writeFileSync(to, bytes.subarray(0, bytes.length / 2));
    die();
  }
  copyFileSync(from, to);
};
Object.assign(fs, {
  mkdirSync: before(fs.mkdirSync),
  renameSync: before(fs.renameSync),
  rmSync: before(fs.rmSync),
  fsyncSync: before(fs.fsyncSync),
  writeFileSync: before(fs.writeFileSync),
});
syncBuiltinESMExports();
const { restoreState } = await import('./restore.ts');
restoreState(directory);
