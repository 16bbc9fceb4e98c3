import { existsSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isAlive } from '../src/host/process-identity.ts';
import { readListing } from '../src/manager/listing.ts';
import { firstWords, imageOf, qemusOf, runWith } from './cold-plug.testing.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
});
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

describe('a start that is killed', () => {
  const moments: [string, () => boolean][] = [
    ['when its intent is durable', () => readListing(lab.stateDir).attachments.length > 0],
    ['when QEMU’s process is recorded', () => readListing(lab.stateDir).sandboxes.some((vm) => vm.process)],
    ['while the guest boots', () => existsSync(lab.sandbox('vm1').socket)],
  ];
  const ends: [string, (image: string) => Promise<unknown>][] = [
    ['stop', () => lab.ok('sandbox', 'stop', 'vm1')],
    [
      'the next run, after doctor and stop where its VM runs',
      async () => {
        await lab.vmplug('doctor', '--repair');
        const [record] = readListing(lab.stateDir).sandboxes;
        if (record?.process !== undefined && isAlive(record.process)) await lab.ok('sandbox', 'stop', 'vm1');
      },
    ],
  ];
  test.each(moments.flatMap(([moment, come]) => ends.map(([end, use]) => ({ moment, come, end, use }))))(
    '$moment, then $end: nothing is lost or in the way',
    async ({ come, use }) => {
      const image = imageOf(lab, 'a.img', 'here');
      const args = ['sandbox', 'run', 'vm1', '--accel', 'tcg', '--cold-plug', image, '--json'];
      const run = lab.start(...args);
      try {
        await expect.poll(come, { timeout: 60_000, interval: 1 }).toBe(true);
      } finally {
        run.kill();
        await run.ended;
      }
      // It is known what is there, whatever the moment was.
      const { sandboxes, attachments } = readListing(lab.stateDir);
      expect(sandboxes).toHaveLength(1);
      expect(attachments).toHaveLength(1);
      await use(image);
      expect(qemusOf(lab)).toEqual([]);
      const { devices } = await runWith(lab, 'vm1', [image]);
      expect(devices).toMatchObject([{ state: 'attached', evidence: 'live' }]);
      expect(await firstWords(lab, 'vm1', devices[0]?.serial ?? '', 4)).toBe('here');
      expect(await lab.ok('doctor')).toMatchObject({ ok: true, findings: [] });
    },
  );
});
