/**
 * Keeps the state of a sandbox over and over, a long one and a short one in turn, and says a word after each:
 * `write-for-ever.testing.ts ROOT SANDBOX`. Ends when it is killed.
 */
import { writeSync } from 'node:fs';
import { FsPersistDriver } from './fs-persist-driver.ts';
import { readSandboxState } from './read.ts';

const [root = '', SandboxContainer = ''] = process.argv.slice(2);
const driver = new FsPersistDriver(root);
for (let turn = 0; ; turn += 1) {
  const document = { SandboxContainer, CgroupPath: 'x'.repeat(turn % 2 === 0 ? 500_000 : 0) };
  const sandbox = readSandboxState(Buffer.from(JSON.stringify(document)), 'document');
  await driver.toDisk({ sandbox, containers: {} });
  writeSync(1, 'kept\n');
}
