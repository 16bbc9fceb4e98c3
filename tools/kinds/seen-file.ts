import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { SeenFact } from '../../lab/seen.ts';
import { evidenceLevels } from '../../src/api/evidence.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the tests of the last runs have seen. */
export const seenFile: string = join(root, '.results/seen.json');

const fact = z.object({
  kind: z.string(),
  way: z.enum(['hot-plug', 'cold-plug', 'unplug']),
  machine: z.string(),
  qemu: z.string(),
  evidence: z.enum(evidenceLevels).exactOptional(),
  address: z.string().exactOptional(),
  refused: z.string().exactOptional(),
});

const seenSchema = z.record(z.string(), z.array(fact));

/** The facts by the test file that saw them. @throws SyntaxError, ZodError */
export function parseSeen(text: string): Record<string, SeenFact[]> {
  return seenSchema.parse(JSON.parse(text));
}

/** The facts of earlier runs with those of the files that ran again in their place. */
export function merged(
  earlier: Readonly<Record<string, SeenFact[]>>,
  ran: ReadonlyMap<string, SeenFact[]>,
): Record<string, SeenFact[]> {
  const all = Object.entries({ ...earlier, ...Object.fromEntries(ran) });
  return Object.fromEntries(
    all.filter(([, facts]) => facts.length > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
