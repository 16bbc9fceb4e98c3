import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startForeignQemu } from './foreign-qemu.ts';
import { recordConversation, twoPorts } from './simulated/record-conversation.ts';
import { differences, replay } from './simulated/replay.ts';
import type { Said } from './simulated/transcript.ts';

/**
 * The simulated QEMU says what the real one says, as far as a driver reads it. With
 * RECORD_TRANSCRIPTS set, what was said is also kept for the quick test.
 */
function keep(name: string, said: readonly Said[]): void {
  if (process.env['RECORD_TRANSCRIPTS'] === undefined) return;
  const path = new URL(`simulated/recorded/${name}.jsonl`, import.meta.url);
  writeFileSync(path, said.map((each) => `${JSON.stringify(each)}\n`).join(''));
}

test.each([
  ['7.2.22', 'system'],
  ['10.0.2', '10'],
] as const)('QEMU %s: adopting, disks in and out, refusals, a pause', async (version, qemu) => {
  const said = await recordConversation((directory) =>
    startForeignQemu(directory, twoPorts, { qemu, memory: '256M' }),
  );
  keep(`q35-${version}`, said);
  expect(said.length).toBeGreaterThan(300);
  expect(differences(said, replay(said, { machine: 'q35', version, ports: 2 }))).toEqual([]);
});
