const quote = 0x22;
const backslash = 0x5c;
const opening = new Set([0x7b, 0x5b]);
const closing = new Set([0x7d, 0x5d]);
const blank = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Cuts a byte stream into JSON documents as QEMU does: one ends with the bracket that closes it,
 * not with its line. What stands outside of brackets is handed out as far as the end of its line.
 */
export class JsonSplitter {
  #bytes: number[] = [];
  #depth = 0;
  #inString = false;
  #escaped = false;

  *push(chunk: Uint8Array): Generator<string, void, undefined> {
    for (const byte of chunk) {
      if (this.#bytes.length === 0 && blank.has(byte)) continue;
      this.#bytes.push(byte);
      if (this.#ends(byte)) yield this.#take();
    }
  }

  #ends(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inString = false;
      return false;
    }
    if (byte === quote) this.#inString = true;
    if (opening.has(byte)) this.#depth += 1;
    if (closing.has(byte)) this.#depth -= 1;
    return closing.has(byte) ? this.#depth <= 0 : byte === 0x0a && this.#depth === 0;
  }

  #take(): string {
    const text = Buffer.from(this.#bytes).toString('utf8');
    this.#bytes = [];
    this.#depth = 0;
    this.#inString = false;
    return text;
  }
}
