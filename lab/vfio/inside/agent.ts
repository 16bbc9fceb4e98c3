import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ReadStream } from 'node:tty';
import { VmplugError } from '../../../src/api/errors.ts';
import { QmpConnection } from '../../../src/hypervisors/qemu/index.ts';
import { Vmplug } from '../../../src/manager/vmplug.ts';
import { requestSchema, type Call, type Reply } from './calls.ts';

/**
 * `agent.js TERMINAL`: runs in the outer guest and does what is asked on a terminal in raw mode, a line of JSON each way.
 * One process for many calls, because a start of Node takes seconds there.
 */
const [, , terminal = '/dev/hvc0'] = process.argv;
const file = openSync(terminal, 'r+');
const vmplug = Vmplug.open();

function say(reply: Reply): void {
  writeSync(file, `${JSON.stringify(reply)}\n`);
}

async function perform(call: Call): Promise<unknown> {
  switch (call.do) {
    case 'adopt':
      return await vmplug.adopt(call.name, call.qmp);
    case 'attach':
      return await vmplug.attach(call.sandbox, call.source, call.options);
    case 'detach':
      return await vmplug.detach(call.sandbox, call.device, { timeoutMs: call.timeoutMs });
    case 'forget':
      return await vmplug.forget(call.name);
    case 'inspect':
      return await vmplug.inspect(call.device);
    case 'list':
      return vmplug.list();
    case 'doctor':
      return await vmplug.doctor({ repair: call.repair });
    case 'tell': {
      await using connection = await QmpConnection.connect(call.qmp, { timeoutMs: 20_000 });
      return await connection.execute(call.execute, call.args);
    }
  }
}

function described(error: unknown): Extract<Reply, { kind: 'threw' }>['error'] {
  if (!(error instanceof VmplugError)) {
    const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: 'none', message: words, subject: '', reason: words, hint: null, facts: {}, cause: null };
  }
  const { code, message, subject, reason, hint = null, facts, cause } = error;
  return {
    code,
    message,
    subject,
    reason,
    hint,
    facts,
    cause: cause instanceof Error ? cause.message : null,
  };
}

const input = new ReadStream(file);
input.setRawMode(true);
createInterface({ input }).on('line', (line) => {
  const { id, call } = requestSchema.parse(JSON.parse(line));
  perform(call).then(
    (value) => say({ kind: 'returned', id, value }),
    (error: unknown) => say({ kind: 'threw', id, error: described(error) }),
  );
});
say({ kind: 'ready' });
