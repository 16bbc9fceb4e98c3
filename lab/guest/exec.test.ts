import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { execInGuest, waitForGuest } from './exec.ts';
import { execRequests, newTag, ReplyReader, shellCommand, type Reply } from './protocol.ts';
import { result, scriptedGuest, type Request } from './scripted-guest.testing.ts';

const soon = { timeoutMs: 2000 };
const unescaped = (text: string): string =>
  Buffer.from(
    text.replaceAll(/\\0([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    'latin1',
  ).toString();
const have = ({ tag, sequence }: Request): string => `\n=${tag} have ${sequence}\n`;

describe('shellCommand', () => {
  test('quotes everything that sh would change', () => {
    expect(shellCommand(['echo', "it's", '$HOME', ''])).toBe(`'echo' 'it'\\''s' '$HOME' ''`);
  });
});

describe('execRequests', () => {
  test('a long command goes in pieces of plain characters that add up to it', () => {
    const script = `echo "ü \\n 'x'"\n${'y'.repeat(5000)}`;
    const requests = execRequests(newTag(), script);
    expect(requests.length).toBeGreaterThan(4);
    const chunks = requests.map((line, index) => {
      const [, verb, sequence, total, length, chunk = ''] = line.trim().split(' ');
      expect([verb, sequence, total]).toEqual(['exec', String(index + 1), String(requests.length)]);
      expect(chunk.length).toBe(Number(length));
      expect(chunk).toMatch(/^[\x21-\x7e]+$/);
      return chunk;
    });
    expect(unescaped(chunks.join(''))).toBe(`${script}\n`);
  });

  test('an empty command is one request', () => {
    expect(execRequests(newTag(), '')).toHaveLength(1);
  });
});

describe('ReplyReader', () => {
  const tag = newTag();
  const other = newTag();
  const text = `half a line\xff\0${result(other, 'not ours')}@${tag} ping\n=${tag}\n${result(tag, 'hello\n'.repeat(50), 'oops', 3)}`;
  const expected: Reply = {
    kind: 'result',
    exitCode: 3,
    stdout: Buffer.from('hello\n'.repeat(50)),
    stderr: Buffer.from('oops'),
  };

  test.each([1, 2, 3, 7, 64, 10_000])('finds its reply among others in pieces of %i bytes', (size) => {
    const reader = new ReplyReader((candidate) => candidate === tag);
    const bytes = Buffer.from(text, 'latin1');
    const replies: Reply[] = [];
    for (let at = 0; at < bytes.length; at += size)
      replies.push(...reader.push(bytes.subarray(at, at + size)));
    expect(replies).toEqual([expected]);
  });

  test('unpacks packed output and takes CR LF', () => {
    const packed = gzipSync('x'.repeat(10_000)).toString('base64');
    const reader = new ReplyReader(() => true);
    const replies = reader.push(
      Buffer.from(`=${tag} out gzip\r\n${packed}\r\n=${tag} err plain\r\n=${tag} end 0 10000 0\r\n`),
    );
    expect(replies).toEqual([
      { kind: 'result', exitCode: 0, stdout: Buffer.from('x'.repeat(10_000)), stderr: Buffer.alloc(0) },
    ]);
  });

  test('output that did not arrive whole is damaged, not short', () => {
    const lines = result(tag, 'hello\n'.repeat(50)).split('\n');
    const without = [...lines.slice(0, 3), ...lines.slice(4)].join('\n');
    expect(new ReplyReader(() => true).push(Buffer.from(without))).toMatchObject([{ kind: 'damaged' }]);
    const onlyEnd = `=${tag} end 0 0 0\n`;
    expect(new ReplyReader(() => true).push(Buffer.from(onlyEnd))).toMatchObject([{ kind: 'damaged' }]);
  });

  test('a line without end is dropped, and the line after it is found', () => {
    const reader = new ReplyReader(() => true);
    for (let index = 0; index < 20; index += 1) expect(reader.push(Buffer.alloc(4096, 'A'))).toEqual([]);
    expect(reader.push(Buffer.from(`=${tag} pong\n=${tag} pong\n`))).toEqual([{ kind: 'pong' }]);
  });
});

describe('execInGuest', () => {
  test('runs once all pieces are there, whatever else is on the line', async () => {
    let script = '';
    await using guest = await scriptedGuest(
      (request, socket) => {
        if (request.verb !== 'exec') return;
        script += request.chunk;
        socket.write(`@${request.tag} exec echoed\n${have(request)}`);
        if (request.sequence < request.total) return;
        const reply = result(request.tag, 'fine', 'careful', 3);
        socket.write(reply.slice(0, 33));
        setTimeout(() => socket.write(reply.slice(33)), 5);
      },
      (socket) => socket.write(`garbage\xff\0 from an earlier client\n${result(newTag(), 'old')}=0123`),
    );
    const command = ['echo', 'x'.repeat(3000)];
    const found = await execInGuest(guest.path, command, soon);
    expect(found).toEqual({ exitCode: 3, stdout: Buffer.from('fine'), stderr: Buffer.from('careful') });
    expect(unescaped(script)).toBe(`${shellCommand(command)}\n`);
  });

  test('a request whose first bytes were lost is sent again under the same tag', async () => {
    const tags: string[] = [];
    await using guest = await scriptedGuest((request, socket) => {
      tags.push(request.tag);
      if (tags.length === 2) socket.write(have(request) + result(request.tag, 'second'));
    });
    const { stdout } = await execInGuest(guest.path, 'true', soon);
    expect(stdout.toString()).toBe('second');
    expect(new Set(tags).size).toBe(1);
  });

  test('a command that takes too long is ended', async () => {
    await using guest = await scriptedGuest((request, socket) => {
      socket.write(request.verb === 'stop' ? `\n=${request.tag} stopped\n` : have(request));
    });
    await expect(execInGuest(guest.path, 'sleep 9', { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'deadline-passed',
    });
    expect(guest.requests.at(-1)).toMatch(/^@[0-9a-f]{16} stop$/);
  });

  test('a command whose caller gives up is ended as well', async () => {
    const caller = new AbortController();
    await using guest = await scriptedGuest((request, socket) => {
      socket.write(request.verb === 'stop' ? `\n=${request.tag} stopped\n` : have(request));
      setTimeout(() => caller.abort(), 10);
    });
    const run = execInGuest(guest.path, 'sleep 9', { ...soon, signal: caller.signal });
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect(guest.requests.at(-1)).toMatch(/^@[0-9a-f]{16} stop$/);
  });

  test('a deaf guest passes the deadline', async () => {
    await using guest = await scriptedGuest(() => {});
    await expect(execInGuest(guest.path, 'true', { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'deadline-passed',
    });
  });

  test('the caller may give up, before and while', async () => {
    await using guest = await scriptedGuest(() => {});
    const aborted = { code: 'aborted' };
    await expect(
      execInGuest(guest.path, 'true', { ...soon, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject(aborted);
    await expect(
      execInGuest(guest.path, 'true', { ...soon, signal: AbortSignal.timeout(20) }),
    ).rejects.toMatchObject(aborted);
  });

  test('a VM that ends is told from a deaf one', async () => {
    await using guest = await scriptedGuest((_, socket) => void socket.end());
    await expect(execInGuest(guest.path, 'true', soon)).rejects.toMatchObject({ code: 'vm-gone' });
    await expect(execInGuest(`${guest.path}-none`, 'true', soon)).rejects.toMatchObject({ code: 'vm-gone' });
  });

  test('what the guest cannot do or send is an error of its own', async () => {
    const answers = [
      (tag: string) => `\n=${tag} too-much 20000000\n`,
      (tag: string) => `\n=${tag} failed no space\n`,
    ];
    await using guest = await scriptedGuest((request, socket) => {
      socket.write(have(request) + (answers.shift()?.(request.tag) ?? ''));
    });
    await expect(execInGuest(guest.path, 'true', soon)).rejects.toMatchObject({ code: 'unsupported' });
    await expect(execInGuest(guest.path, 'true', soon)).rejects.toMatchObject({ code: 'protocol-error' });
  });
});

describe('waitForGuest', () => {
  test('asks under fresh tags until one is answered', async () => {
    const tags = new Set<string>();
    await using guest = await scriptedGuest(({ tag }, socket) => {
      tags.add(tag);
      if (tags.size === 3) socket.write(`boot messages \xff\n=${newTag()} pong\n=${tag} pong\n`);
    });
    await waitForGuest(guest.path, soon);
    expect(tags.size).toBe(3);
  });

  test('a guest that never comes up passes the deadline', async () => {
    await using guest = await scriptedGuest(() => {});
    await expect(waitForGuest(guest.path, { timeoutMs: 30 })).rejects.toMatchObject({
      code: 'deadline-passed',
    });
  });
});
