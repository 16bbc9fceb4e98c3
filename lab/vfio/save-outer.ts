import { mkdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { QmpConnection } from '../../src/hypervisors/qemu/index.ts';
import { execInGuest, waitForGuest } from '../guest/index.ts';
import { innerCommandLine, outerArguments, outerSockets, type Iommu, type OuterFiles } from './machine.ts';
import { startQemuProcess } from './qemu-process.ts';
import type { Stages } from './stages.ts';

/** Milliseconds for a guest to boot, also when the machine has much else to do. */
const bootMs = 240_000;

/** What is run before the state is taken, so that a resumed machine has it in its page cache. */
const warmUp = `set -e
node -p 1
/usr/sbin/ip link >/dev/null; /usr/bin/prlimit --version >/dev/null; /usr/bin/setpriv --version >/dev/null
/usr/bin/qemu-system-x86_64 -version >/dev/null
`;

const startInner = `set -e
mkdir -p /run/inner
setsid ${innerCommandLine} </dev/null >/run/inner/log 2>&1 &
echo $! >/run/inner/pid
`;

/** QEMU refuses to load the state of a CPU that was running a nested guest, so none may be. */
const freezeInner = `read -r pid </run/inner/pid
kill -STOP $pid
for task in /proc/$pid/task/*; do
  until read -r _ _ state _ <$task/stat && [ "$state" = T ]; do :; done
done
`;

/** Undoes what was done to the inner machine before the state was taken. */
export const thawInner = `read -r pid </run/inner/pid
kill -CONT $pid
`;

/** Asked of the inner guest once before the state is taken: what it forked for is in its memory then. */
const warmUpInner =
  'ls /sys/bus/pci/devices /dev >/dev/null; cat /proc/uptime; head -c 1 /dev/zero >/dev/null; echo 3 >/proc/sys/vm/drop_caches';

/** What decides how the saved machine is, apart from its arguments. */
export const savedBy: readonly string[] = [warmUp, startInner, warmUpInner, freezeInner];

/**
 * Boots the outer machine and writes its state to `state`. With an IOMMU the inner machine is started in it and both
 * guests answer; without one, nothing runs in it. `directory` is for sockets and must not be there.
 *
 * @throws Error with the end of the console when it does not get so far
 */
export async function saveOuter(
  files: OuterFiles,
  iommu: Iommu,
  state: string,
  directory: string,
  stages: Stages,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const sockets = outerSockets(directory);
  const channels = { directory, checkout: directory, work: directory };
  const time = (name: string, work: () => Promise<void>): Promise<void> =>
    stages.time(`IOMMU ${iommu}: ${name}`, work);
  await using qemu = await startQemuProcess(files.qemu, outerArguments(files, channels, iommu), sockets.qmp);
  try {
    await time('boot the outer guest', () => waitForGuest(sockets.exec, { timeoutMs: bootMs }));
    await time('warm the outer guest', () => run(sockets.exec, warmUp));
    if (iommu === 'on') {
      await time('boot the inner guest', async () => {
        await run(sockets.exec, startInner);
        await waitForGuest(sockets.inner, { timeoutMs: bootMs });
      });
      // The second time it needs less memory than the first, and what it needs is there.
      await time('warm the inner guest', async () => {
        await run(sockets.inner, warmUpInner);
        await run(sockets.inner, warmUpInner);
        await run(sockets.exec, freezeInner);
      });
    }
    await time('save the state', () => save(qemu.qmp, state));
  } catch (error) {
    const console = await readFile(sockets.console, 'utf8').catch(() => '');
    throw new Error(`the outer machine did not get so far; its console:\n${console.slice(-3000)}`, {
      cause: error,
    });
  }
}

async function run(socket: string, script: string): Promise<void> {
  const { exitCode, stderr } = await execInGuest(socket, script, { timeoutMs: 120_000 });
  if (exitCode !== 0) throw new Error(`in the guest: ${stderr.toString()}`);
}

const migrationSchema = z.looseObject({ status: z.string().optional() });

async function save(qmp: QmpConnection, state: string): Promise<void> {
  await qmp.execute('stop');
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 10_000_000_000 });
  await qmp.execute('migrate', { uri: `exec:cat > '${state}'` });
  for (;;) {
    const { status, ...more } = migrationSchema.parse(await qmp.execute('query-migrate'));
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw new Error(`the state was not saved: ${JSON.stringify(more)}`);
    await sleep(50);
  }
}
