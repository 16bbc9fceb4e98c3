import { VmplugError } from '../../../api/errors.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const smallestBuffer = 4096;
/** A buffer that grew beyond this is given back once its line is out. */
const largestKept = 65_536;

/** The longest line taken by default, in bytes. `query-qmp-schema` of QEMU 7.2 is about 200 kB. */
const defaultMaxLineBytes = 16 * 1024 * 1024;

/**
 * Splits a byte stream into lines at LF, whatever the chunks: a line is decoded as UTF-8 only
 * when it is whole, and a CR before the LF is dropped. The lines are the same for any chunking.
 */
export class LineSplitter {
  // Bytes of the unfinished line, copied so that no chunk is kept alive. It grows by doubling:
  // each byte is copied a constant number of times on average, even in one-byte chunks.
  #rest: Buffer = Buffer.alloc(0);
  #length = 0;
  readonly #maxBytes: number;

  /** @param maxBytes longest line, in bytes before the LF, a CR counted */
  constructor(maxBytes: number = defaultMaxLineBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the line that has not ended yet. */
  get pendingBytes(): number {
    return this.#length;
  }

  /**
   * Takes the next chunk and yields the lines that it completes, without their ends. Draw the
   * generator to its end, or stop using the splitter.
   * @throws VmplugError `protocol-error` once a line is longer than the cap, after the lines before it
   */
  *push(chunk: Uint8Array): Generator<string, void, undefined> {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    while (start < bytes.length) {
      const end = bytes.indexOf(lineFeed, start);
      const stop = end === -1 ? bytes.length : end;
      this.#check(this.#length + stop - start);
      if (end === -1) {
        this.#keep(bytes, start, stop);
        return;
      }
      if (this.#length === 0) {
        yield decode(bytes, start, stop);
      } else {
        this.#keep(bytes, start, stop);
        yield this.#take();
      }
      start = end + 1;
    }
  }

  #check(length: number): void {
    if (length > this.#maxBytes) {
      throw new VmplugError('protocol-error', {
        action: 'read a line from',
        subject: 'the VMM',
        reason: `it is longer than ${this.#maxBytes} bytes`,
        facts: { limit: this.#maxBytes },
      });
    }
  }

  #keep(bytes: Buffer, start: number, stop: number): void {
    const needed = this.#length + stop - start;
    if (needed > this.#rest.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#rest.length * 2, smallestBuffer));
      this.#rest.copy(grown, 0, 0, this.#length);
      this.#rest = grown;
    }
    bytes.copy(this.#rest, this.#length, start, stop);
    this.#length = needed;
  }

  #take(): string {
    const line = decode(this.#rest, 0, this.#length);
    this.#length = 0;
    if (this.#rest.length > largestKept) {
      this.#rest = Buffer.alloc(0);
    }
    return line;
  }
}

function decode(bytes: Buffer, start: number, stop: number): string {
  const end = stop > start && bytes[stop - 1] === carriageReturn ? stop - 1 : stop;
  return bytes.toString('utf8', start, end);
}
