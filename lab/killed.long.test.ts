import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readListing } from '../src/manager/listing.ts';
import { vmmHas } from './errors.testing.ts';
import { Lab } from './harness.ts';

/** Moments in the life of one command, in milliseconds: from its start to about its end. */
const moments = Array.from({ length: 12 }, (_, index) => 90 + index * 25);

describe('a command that is killed leaves nothing that the next one does not settle', () => {
  let lab: Lab;

  beforeAll(async () => {
    lab = new Lab();
    await lab.run('vm1');
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  /** The kill is the point of the test: after so many milliseconds, wherever the command then is. */
  async function killedAfter(milliseconds: number, ...args: string[]): Promise<void> {
    const command = lab.start(...args);
    const timer = setTimeout(() => command.kill('SIGKILL'), milliseconds);
    await command.ended;
    clearTimeout(timer);
  }

  /** The records and the VM agree on which of our devices there are. */
  async function expectAgreement(): Promise<void> {
    const { devices, nodes } = await vmmHas(lab.sandbox('vm1').socket);
    const recorded = readListing(lab.stateDir).attachments.map(({ plan }) => plan.vmmId);
    const ours = (names: readonly string[]): string[] => names.filter((name) => name.startsWith('vmplug-'));
    expect(ours(devices).toSorted()).toEqual(recorded.toSorted());
    expect(
      ours(nodes)
        .filter((name) => !name.endsWith('-f'))
        .toSorted(),
    ).toEqual(recorded.toSorted());
  }

  test.each(moments)('attach, after %d ms', async (milliseconds) => {
    const image = lab.image(`attach-${milliseconds}.img`);
    await killedAfter(milliseconds, 'attach', 'vm1', image);
    await lab.vmplug('doctor', '--repair');
    expect(await lab.ok('doctor')).toMatchObject({ ok: true });
    await expectAgreement();
    const [left] = readListing(lab.stateDir).attachments;
    if (left === undefined) await lab.ok('attach', 'vm1', image);
    await lab.ok('detach', 'vm1', image);
    expect(await lab.disks('vm1')).toEqual([]);
    await expectAgreement();
  });

  test.each(moments)('detach, after %d ms', async (milliseconds) => {
    const image = lab.image(`detach-${milliseconds}.img`);
    await lab.ok('attach', 'vm1', image);
    await killedAfter(milliseconds, 'detach', 'vm1', image);
    const again = await lab.vmplug('detach', 'vm1', image, '--json');
    expect(again.code === 0 || again.stdout.includes('device-not-found')).toBe(true);
    expect(await lab.disks('vm1')).toEqual([]);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true });
    await expectAgreement();
  });
});
