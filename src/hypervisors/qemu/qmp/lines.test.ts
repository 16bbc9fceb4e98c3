import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter } from './lines.ts';

const split = (chunks: Iterable<Uint8Array>, maxBytes?: number): string[] => {
  const splitter = new LineSplitter(maxBytes);
  return [...chunks].flatMap((chunk) => [...splitter.push(chunk)]);
};

function* cutAt(bytes: Buffer, cuts: readonly number[]): Generator<Buffer> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
  yield bytes.subarray(start);
}

function* pieces(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) {
    yield bytes.subarray(at, at + length);
  }
}

describe('LineSplitter', () => {
  test('any split of any text gives the same lines, within UTF-8 sequences and CRLF too', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[\r\n]/g, ''));
    const stream = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400)), (lines, cuts) => {
        const bytes = Buffer.from(lines.map(([text, end]) => text + end).join(''));
        const chunks = cutAt(
          bytes,
          cuts.map((cut) => Math.min(cut, bytes.length)),
        );
        expect(split(chunks)).toEqual(lines.map(([text]) => text));
      }),
    );
  });

  test('each byte on its own', () => {
    const bytes = Buffer.from('{"é":"日本","😀":1}\r\n\r\n{"b":2}\n');
    expect(split(pieces(bytes, 1))).toEqual(['{"é":"日本","😀":1}', '', '{"b":2}']);
  });

  test('only the CR before the LF is dropped, and an unfinished line is kept back', () => {
    const splitter = new LineSplitter();
    expect([...splitter.push(Buffer.from('a\rb\r\r\nrest'))]).toEqual(['a\rb\r']);
    expect(splitter.pendingBytes).toBe(4);
    expect([...splitter.push(Buffer.from('\r'))]).toEqual([]);
    expect([...splitter.push(Buffer.from('\n'))]).toEqual(['rest']);
    expect(splitter.pendingBytes).toBe(0);
  });

  test('chunks may be overwritten once they were pushed', () => {
    const splitter = new LineSplitter();
    const chunk = Buffer.from('half');
    expect([...splitter.push(chunk)]).toEqual([]);
    chunk.fill('x');
    expect([...splitter.push(Buffer.from(' done\n'))]).toEqual(['half done']);
  });

  test.each([1, 7, 64])(
    'a line over the cap is a protocol error, whatever the chunks (%i bytes)',
    (length) => {
      const exact = Buffer.from(`${'a'.repeat(20)}\n`);
      expect(split(pieces(exact, length), 20)).toEqual(['a'.repeat(20)]);
      const splitter = new LineSplitter(20);
      const got: string[] = [];
      const feed = (): void => {
        for (const piece of pieces(Buffer.from(`ok\n${'a'.repeat(21)}\nlater\n`), length)) {
          for (const line of splitter.push(piece)) {
            got.push(line);
          }
        }
      };
      expect(feed).toThrow(expect.objectContaining({ code: 'protocol-error', facts: { limit: 20 } }));
      expect(got).toEqual(['ok']);
    },
  );

  test('10 MB in small chunks copies each byte a constant number of times', () => {
    const bytes = Buffer.alloc(10_000_001, 'a');
    bytes[10_000_000] = 0x0a;
    let copied = 0;
    const original = Buffer.prototype.copy;
    Buffer.prototype.copy = function counting(this: Buffer, ...args: Parameters<Buffer['copy']>): number {
      const count = original.apply(this, args);
      copied += count;
      return count;
    };
    try {
      for (const length of [16, 1024, 65_536]) {
        copied = 0;
        expect(split(pieces(bytes, length))[0]?.length).toBe(10_000_000);
        expect(copied).toBeLessThan(4 * bytes.length);
      }
    } finally {
      Buffer.prototype.copy = original;
    }
  });
});
