import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDeafResponder } from './back-ends/deaf-responder.ts';
import { chardevs } from './back-ends/lost.testing.ts';
import { changesNothing, refused } from './errors.testing.ts';
import { Lab } from './harness.ts';
import { ensurePackages, qemuPackages } from './setup/packages.ts';

let lab: Lab;
beforeAll(async () => {
  await ensurePackages(qemuPackages);
  lab = new Lab();
  await lab.adopt('vm1', 'q35', ['-S'], { waits: false });
});
afterAll(() => lab[Symbol.asyncDispose]());

// QEMU would say yes: to a card it gives a driver of its own that no packet leaves, to the others nothing.
test.each([
  ['vhost-user-blk'],
  ['vhost-user-scsi'],
  ['vhost-user-net', '--mac', '52:54:00:aa:00:01'],
  ['vhost-user-fs', '--tag', 'data'],
])(
  '%s for a guest whose memory is not shared is refused, and its back end sees nobody',
  async (kind, ...flags) => {
    await using responder = await startDeafResponder(lab.path(`${kind}.sock`));
    const attach = ['attach', 'vm1', `${kind}:${responder.socket}`, ...flags, '--wait', 'acknowledged'];
    for (const more of [[], ['--dry-run']]) {
      const error = await changesNothing(lab, ['vm1'], () => refused(lab, 'unsupported', ...attach, ...more));
      expect(error).toMatchObject({
        reason: expect.stringContaining('not shared'),
        hint: expect.stringContaining('--shared-memory'),
      });
    }
    expect(await chardevs(lab, 'vm1')).toEqual([]);
    expect(responder.connections()).toBe(0);
  },
);
