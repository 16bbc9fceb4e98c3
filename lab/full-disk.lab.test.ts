import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VmplugError } from '../src/api/errors.ts';
import { RealClock } from '../src/hypervisors/simulated/qemu/clock.ts';
import { startSimulatedQemu } from '../src/hypervisors/simulated/qemu/start.ts';
import { Vmplug } from '../src/manager/vmplug.ts';

const page = 4096;
const limits = { timeoutMs: 15_000 };
let directory: string;
let disk: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'vmplug-full-'));
  disk = join(directory, 'disk');
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2M', 'tmpfs', disk]);
});
afterAll(() => {
  execFileSync('umount', [disk]);
  rmSync(directory, { recursive: true, force: true });
});

function image(): string {
  const path = join(directory, 'disk.img');
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

/** Leaves so many pages free. */
function leave(pages: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - pages * page)));
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: unknown) => {
      if (!(error instanceof VmplugError)) throw error;
      return error.code;
    },
  );
}

test.each(['attach', 'detach'] as const)(
  'the disk is full at any page that an %s writes: refused or settled, and the VM has what is recorded',
  async (operation) => {
    const [ends, source] = [[] as string[], image()];
    for (let pages = 0; ends.at(-1) !== 'done' || pages < 40; pages += 1) {
      const stateDir = join(disk, 'state');
      await using qemu = await startSimulatedQemu({
        clock: new RealClock(),
        guest: { takesMs: 1, answersMs: 1 },
      });
      const has = (): string[] =>
        qemu.vm.machine.devices.map(({ id }) => id).filter((id) => id.startsWith('vmplug-'));
      {
        await using vmplug = Vmplug.open({ stateDir });
        await vmplug.adopt('vm', qemu.socket, limits);
        const before = operation === 'detach' ? await vmplug.attach('vm', source, limits) : undefined;
        leave(pages);
        const code = await codeOf(
          before === undefined ? vmplug.attach('vm', source, limits) : vmplug.detach('vm', before.id, limits),
        );
        ends.push(code);
        expect(['done', 'state-unavailable'], `${pages} pages left`).toContain(code);
        // Nothing is in the VM that the records don't know, with the disk still full.
        const recorded = vmplug.list('vm').map(({ plan }) => plan.vmmId);
        for (const id of has()) expect(recorded, `${pages} pages left`).toContain(id);
        rmSync(join(disk, 'filler'));
        await vmplug.doctor({ ...limits, repair: true });
        const open = (await vmplug.doctor(limits)).map(({ what }) => what);
        expect(open, `${pages} pages left`).toEqual([]);
        expect(vmplug.list('vm').map(({ plan }) => plan.vmmId)).toEqual(has());
        for (const { id } of vmplug.list('vm')) await vmplug.detach('vm', id, limits);
        expect([...has(), ...qemu.vm.machine.backEnds.names]).toEqual([]);
      }
      rmSync(stateDir, { recursive: true });
      expect(pages).toBeLessThan(200);
    }
    expect([...new Set(ends)].sort()).toEqual(['done', 'state-unavailable']);
  },
);
