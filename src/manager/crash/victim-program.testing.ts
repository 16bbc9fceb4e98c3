/**
 * A process that is to be killed. It carries out one command of vmplug, and at each point of its own it says
 * where it is and stands still until it is answered: whoever started it can kill it at that very point.
 * Lines of JSON over descriptor 3, both ways.
 */
import { readSync, writeSync } from 'node:fs';
import { VmplugError } from '../../api/errors.ts';
import type { HostSysfs } from '../../host/vfio/host-sysfs.ts';
import { sysfsIo } from '../../host/vfio/sysfs-io.ts';
import { SqliteStore } from '../../store/sqlite-store.ts';
import { Vmplug } from '../vmplug.ts';
import { answerSchema, jobSchema, type Answer, type Job, type Said } from './victim-words.testing.ts';

const channel = 3;
const lineFeed = 0x0a;

/** Says something, and does nothing until it is answered. */
function say(words: Said): unknown {
  writeSync(channel, `${JSON.stringify(words)}\n`);
  const bytes: number[] = [];
  const byte = Buffer.alloc(1);
  while (readSync(channel, byte) === 1 && byte[0] !== lineFeed) bytes.push(byte[0] ?? 0);
  return JSON.parse(Buffer.from(bytes).toString());
}

function tell(words: Said): Answer {
  return answerSchema.parse(say(words));
}

/** Right before and right after each commit. All that writes to the store ends in `write`. */
function stopAtCommits(): void {
  // It is called on the store that it was called on.
  // oxlint-disable-next-line typescript/unbound-method
  const { write } = SqliteStore.prototype;
  SqliteStore.prototype.write = function stopping(work) {
    const result = write.call(this, (tx) => {
      const done = work(tx);
      tell({ at: 'commit before' });
      return done;
    });
    tell({ at: 'commit after' });
    // What `write` returns is what `work` returned.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return result as ReturnType<typeof work>;
  };
}

/** Whoever started this process is its kernel: it does what is written, and can kill it before and after. */
function sysfsOf({ hooks, paths }: NonNullable<Job['sysfs']>): HostSysfs {
  const write = async (path: string, text: string): Promise<void> => {
    const { code, message } = tell({ write: path, text });
    if (message !== undefined) throw Object.assign(new Error(message), { code });
  };
  return {
    io: { ...sysfsIo(), write },
    hooks,
    paths,
    loadModule: (name) => Promise.reject(new Error(`there is no module ${name} here`)),
  };
}

async function carryOut({ stateDir, sandbox, action, source, options, sysfs }: Job): Promise<string> {
  const onHost = sysfs === undefined ? {} : { sysfs: sysfsOf(sysfs) };
  await using vmplug = Vmplug.open({ stateDir, lingerMs: 0, ...onHost });
  stopAtCommits();
  try {
    if (action === 'attach') await vmplug.attach(sandbox, source, { ...options, timeoutMs: 60_000 });
    else await vmplug.detach(sandbox, source, { timeoutMs: 60_000 });
    return 'done';
  } catch (error) {
    return error instanceof VmplugError ? error.code : String(error);
  }
}

tell({ ended: await carryOut(jobSchema.parse(say({ ready: true }))) });
