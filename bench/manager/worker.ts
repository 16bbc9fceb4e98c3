import { SandboxDeviceManager } from '../../src/manager/devices/device-manager.ts';
import { openDeviceManager } from '../../src/manager/devices/device-opening.ts';
import { SqliteStore } from '../../src/store/sqlite-store.ts';
import type { MemoryUse } from './cases.ts';
import { runCycles } from './cycles.ts';
import { addDisks, host } from './devices.ts';
import { sandbox } from './filled-store.ts';
import type { Reply } from './worker-process.ts';

/**
 * A process with one manager: `worker.ts SIZE [DIRECTORY]`, where the directory has a store
 * with as many devices. It tells its memory, and then for each number that it is sent makes
 * that many cycles and tells their times.
 */
const [size, directory] = [Number(process.argv[2]), process.argv[3]];

async function open(): Promise<{ manager: SandboxDeviceManager; close: () => void }> {
  if (directory !== undefined) {
    const store = SqliteStore.open(directory);
    return { manager: openDeviceManager({ store, sandbox, host }), close: () => store[Symbol.dispose]() };
  }
  const manager = new SandboxDeviceManager({ host });
  await addDisks(manager, size);
  return { manager, close: () => undefined };
}

function memoryUse(): MemoryUse {
  if (globalThis.gc === undefined) throw new Error('the worker needs --expose-gc');
  // What the first one finalizes is collected by the second.
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heapBytes: heapUsed + external, rssBytes: rss };
}

function reply(message: Reply): void {
  process.send?.(message);
}

const { manager, close } = await open();
process.on('message', (cycles) => {
  void runCycles(manager, size, Number(cycles)).then((samples) => reply({ samples }));
});
process.once('disconnect', close);
reply({ memory: memoryUse() });
