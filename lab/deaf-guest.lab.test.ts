import { expect, test } from 'vitest';
import { Lab } from './harness.ts';

test('pain 66: a guest that does not take one disk delays nobody else, not in another process either', async () => {
  await using lab = new Lab();
  // Without the driver for virtio-blk this guest never gets a virtio disk further than enumerated.
  await lab.run('vm1', '--append', 'vmplug.skip=virtio_blk');
  const deaf = lab.start('attach', 'vm1', lab.image('deaf.img'), '--timeout', '30s', '--json');
  await expect.poll(async () => (await lab.ok<{ devices: unknown[] }>('ls')).devices.length).toBe(1);

  const other = await lab.ok<{ evidence: string; id: string }>(
    ...['attach', 'vm1', lab.image('other.img'), '--driver', 'virtio-scsi', '--timeout', '10s'],
  );
  expect(other.evidence).toBe('live');
  await lab.ok('detach', 'vm1', other.id);

  deaf.kill('SIGINT');
  const given = await deaf.ended;
  expect(given.json()).toMatchObject({ error: { code: 'aborted' } });
  expect((await lab.ok<{ devices: { state: string }[] }>('ls')).devices).toMatchObject([
    { state: 'attached' },
  ]);
});
