import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseExact } from '../../src/api/exact-json.ts';
import { differences, replay } from './replay.ts';
import { asObject, type Said } from './transcript.ts';

/** What was said to a real QEMU and by it: `simulated-qemu.lab.test.ts` writes these. */
function recorded(name: string): Said[] {
  const text = readFileSync(new URL(`recorded/${name}.jsonl`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const { client, from, message } = asObject(parseExact(line));
      if (from !== 'client' && from !== 'server') throw new Error(`who is ${JSON.stringify(from)}?`);
      return { client: Number(client), from, message: asObject(message ?? null) };
    });
}

test.each(['7.2.22', '10.0.2'])('the simulated QEMU %s says what the real one said', (version) => {
  const said = recorded(`q35-${version}`);
  expect(differences(said, replay(said, { machine: 'q35', version, ports: 2 }))).toEqual([]);
});

test('another machine is told from the recorded one', () => {
  const said = recorded('q35-7.2.22');
  expect(differences(said, replay(said, { machine: 'q35', version: '10.0.2', ports: 2 }))).not.toEqual([]);
  expect(differences(said, replay(said, { machine: 'q35', version: '7.2.22', ports: 1 }))).not.toEqual([]);
  const silent = said.filter(({ message }) => message['event'] !== 'DEVICE_DELETED');
  expect(differences(silent, replay(silent, { machine: 'q35', version: '7.2.22', ports: 2 }))).not.toEqual(
    [],
  );
});
