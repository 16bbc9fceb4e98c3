import { spawn } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startScriptedQmp, type ScriptedQmp } from './scripted-peer.testing.ts';

const module = new URL('connection.ts', import.meta.url).href;
let server: ScriptedQmp;
beforeEach(async () => {
  server = await startScriptedQmp({
    onCommand: ({ execute }) => (execute === 'query-status' ? {} : undefined),
  });
});
afterEach(() => server.close());

/** Runs `body` with a `connection` in a process of its own; resolves with what it wrote when it has ended. */
const run = (body: string): { readonly over: Promise<string>; readonly kill: () => void } => {
  const source = `
    import { QmpConnection } from ${JSON.stringify(module)};
    const connection = await QmpConnection.connect(${JSON.stringify(server.path)}, { timeoutMs: 20_000 });
    const say = (words) => process.stdout.write(words);
    ${body}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  const { promise, resolve } = Promise.withResolvers<string>();
  child.on('close', (code) => resolve(`${output}${code}`));
  return { over: promise, kill: () => child.kill() };
};

test('a process with a closed connection ends by itself, whatever was going on', async () => {
  const { over } = run(`
    connection.onEvent(() => undefined);
    const signal = new AbortController().signal;
    connection.batch([{ execute: 'never' }], { signal, timeoutMs: 600_000 });
    await connection.execute('query-status');
    await connection.close();
    say('closed ');`);
  expect(await over).toBe('closed 0');
});

test('so does one whose VM has gone', async () => {
  const { over } = run(`
    await connection.execute('last').catch((error) => say(error.code + ' '));
    say((await connection.closed).code + ' ');`);
  const peer = await server.nextPeer();
  await peer.nextCommand();
  peer.destroy();
  expect(await over).toBe('outcome-unknown vm-gone 0');
});

test('an unreferenced connection holds the process only while a command waits', async () => {
  const { over } = run(`
    connection.unref();
    say('idle ');
    connection.execute('slow', {}, { timeoutMs: Infinity }).then(() => say('answered '));`);
  const peer = await server.nextPeer();
  const { id } = await peer.nextCommand();
  peer.event('STOP');
  peer.reply(id);
  expect(await over).toBe('idle answered 0');
});

test('an idle connection holds the process', async () => {
  const { over, kill } =
    run(`connection.unref(); connection.ref(); connection.onEvent(({ event }) => say(event + ' '));
    connection.execute('ready');`);
  const peer = await server.nextPeer();
  const { id } = await peer.nextCommand();
  peer.reply(id);
  peer.event('STOP');
  peer.event('RESUME');
  peer.end();
  expect(await over).toBe('STOP RESUME 0');
  kill();
});
