import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RealClock } from '../../hypervisors/simulated/qemu/clock.ts';
import { holdAt } from '../../hypervisors/simulated/qemu/hold-point.ts';
import { startSimulatedQemu, type StartedSimulatedQemu } from '../../hypervisors/simulated/qemu/start.ts';
import { errorOf } from '../../operations/bench.testing.ts';
import { Vmplug } from '../vmplug.ts';

const limits = { timeoutMs: 15_000 };
/** Much less than the 30 s that a VMM is given for a command of an operation. */
const soonMs = 8_000;

let directory: string;
let stateDir: string;
let deaf: StartedSimulatedQemu;
let fine: StartedSimulatedQemu;
let device: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-deaf-'));
  stateDir = join(directory, 'state');
  const options = () => ({ clock: new RealClock(), guest: { takesMs: 1, answersMs: 1 } });
  [deaf, fine] = await Promise.all([startSimulatedQemu(options()), startSimulatedQemu(options())]);
  await using vmplug = Vmplug.open({ stateDir });
  await vmplug.adopt('deaf', deaf.socket, limits);
  await vmplug.adopt('fine', fine.socket, limits);
  for (const name of ['deaf', 'fine']) {
    const { id, plan } = await vmplug.attach(name, image(name), limits);
    device = id;
    if (name === 'fine') fine.vm.machine.letGo(plan.vmmId);
  }
});
afterEach(async () => {
  await Promise.all([deaf[Symbol.asyncDispose](), fine[Symbol.asyncDispose]()]);
  rmSync(directory, { recursive: true, force: true });
});

function image(name: string): string {
  const path = join(directory, name);
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

test.each([false, true])(
  'a VM that falls deaf costs the timeout, and the others are examined (repair: %s)',
  async (repair) => {
    const held = holdAt(deaf.points, { kind: 'command', name: 'qom-list' });
    await using vmplug = Vmplug.open({ stateDir });
    const started = performance.now();
    const found = await vmplug.doctor({ repair, timeoutMs: 400 });
    expect(performance.now() - started).toBeLessThan(soonMs);
    held.release('drop');
    expect(found).toMatchObject([
      { problem: 'vm-unreachable', sandbox: 'deaf', what: expect.stringMatching(/no answer within/) },
      { problem: 'vanished', sandbox: 'fine', device, repaired: repair },
    ]);
  },
  60_000,
);

test('given up by its caller it ends with that, and not with findings', async () => {
  const held = holdAt(deaf.points, { kind: 'command', name: 'qom-list' });
  await using vmplug = Vmplug.open({ stateDir });
  const caller = new AbortController();
  const examined = errorOf(vmplug.doctor({ ...limits, signal: caller.signal }));
  await held.reached;
  caller.abort();
  expect(await examined).toMatchObject({ code: 'aborted' });
  held.release('drop');
}, 60_000);
