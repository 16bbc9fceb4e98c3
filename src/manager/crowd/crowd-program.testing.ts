/** One process of several clients, each with a vmplug of its own: see `crowd.testing.ts`. */
import { hasCode } from '../../api/errors.ts';
import { Vmplug } from '../vmplug.ts';
import {
  clientsOfProcess,
  imagePath,
  sandboxName,
  stateOf,
  wantedByAll,
  workOf,
  type CrowdSaid,
  type Phase,
} from './crowd.testing.ts';

const [directory = '', sandboxes = '0', place = '0'] = process.argv.slice(2);
const options = { timeoutMs: 600_000 };
const milliseconds: number[] = [];
const failed: string[] = [];

function say(words: CrowdSaid): void {
  process.send?.(words);
}

async function timed(what: string, work: () => Promise<unknown>): Promise<void> {
  const started = performance.now();
  try {
    await work();
    milliseconds.push(performance.now() - started);
  } catch (error) {
    failed.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Tries to have what one alone can have, and takes it out again. */
async function tryWanted(vmplug: Vmplug, sandbox: string): Promise<void> {
  try {
    const { id } = await vmplug.attach(sandbox, wantedByAll(directory), options);
    await vmplug.detach(sandbox, id, options);
  } catch (error) {
    if (!hasCode(error, 'claimed-elsewhere', 'already-attached')) failed.push(String(error));
  }
}

async function client(index: number, phase: Phase, passed: () => void): Promise<void> {
  await using vmplug = Vmplug.open({ stateDir: stateOf(directory), lingerMs: 0 });
  const held: Promise<void>[] = [];
  for (const { sandbox, devices } of workOf(index, phase, Number(sandboxes))) {
    const name = sandboxName(sandbox);
    const all = devices.map((device) =>
      timed(`${phase} ${name} ${device}`, () =>
        vmplug[phase](name, imagePath(directory, sandbox, device), options),
      ),
    );
    // Nobody waits for the first sandbox: see the test.
    if (sandbox === 0) held.push(...all);
    else await Promise.all(all);
    if (phase === 'attach' && sandbox % 10 === 1) await tryWanted(vmplug, name);
    passed();
  }
  await Promise.all(held);
}

async function carryOut(phase: Phase): Promise<void> {
  milliseconds.length = 0;
  failed.length = 0;
  const counts = Array.from({ length: clientsOfProcess }, () => 0);
  await Promise.all(
    counts.map((_, index) =>
      client(Number(place) * clientsOfProcess + index, phase, () => {
        const before = Math.min(...counts);
        counts[index] = (counts[index] ?? 0) + 1;
        const now = Math.min(...counts);
        if (now > before) say({ sandboxes: now });
      }),
    ),
  );
  say({ done: true, milliseconds, failed });
}

process.on('message', (phase: Phase) => void carryOut(phase));
say({ ready: true });
