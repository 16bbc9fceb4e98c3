import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { addedSyncs } from './fsyncs/count.ts';

/**
 * How many times operations bring the state to disk, one after the other and at once:
 * `node bench/fsyncs.ts DIRECTORY [FILE]`. It needs strace.
 */
const [directory = '.bench-state', file = 'bench/results/fsyncs.json'] = process.argv.slice(2);
const results = {
  schemaVersion: 1,
  kind: 'vmplug-bench-fsyncs',
  sequential: addedSyncs(directory, 'sequential', 16),
  concurrent: [8, 64].map((operations) => addedSyncs(directory, 'concurrent', operations)),
};
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
console.log(JSON.stringify(results, undefined, 2));
