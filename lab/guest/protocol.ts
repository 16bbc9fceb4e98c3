/**
 * The lines between {@link execInGuest} and the guest's `/etc/execd` over the second serial port. Requests begin with
 * `@`, replies with `=`, both with a tag made for one request, so that an echo is no reply, and garbage, half lines and
 * replies to an earlier client belong to nobody. A command travels with `\0OOO` octal escapes for all but plain characters,
 * as the guest's shell undoes these without starting a process; output travels as base64.
 *
 * | request | reply |
 * |---|---|
 * | `@TAG ping` | `=TAG pong` |
 * | `@TAG exec SEQ TOTAL LENGTH CHUNK` | `=TAG have SEQ`; when all are there the command runs once, then as below |
 * | `@TAG stop` | `=TAG stopped`; the command is killed if it still runs |
 *
 * A command that has run is told by `=TAG out plain|gzip`, lines of base64, `=TAG err plain|gzip`, lines of base64 and
 * `=TAG end EXITCODE OUTBYTES ERRBYTES`; otherwise by `=TAG too-much BYTES` or `=TAG failed WORDS`.
 */
import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

/** A command longer than this goes in pieces, each acknowledged: the port has no flow control. */
const chunkLength = 1024;

/** A line longer than this is garbage. */
const longestLine = 8192;

/** A fresh tag: 16 hexadecimal digits. */
export function newTag(): string {
  return randomBytes(8).toString('hex');
}

/** A request to answer. The leading newline ends what half a line an earlier client may have left. */
export function pingRequest(tag: string): string {
  return `\n@${tag} ping\n`;
}

/** A request to end the command of that tag. */
export function stopRequest(tag: string): string {
  return `\n@${tag} stop\n`;
}

/** The requests that bring a shell script to the guest and run it, to be sent one after the other's `have`. */
export function execRequests(tag: string, script: string): string[] {
  const text = escaped(`${script}\n`);
  const total = Math.ceil(text.length / chunkLength);
  return Array.from({ length: total }, (_, index) => {
    const chunk = text.slice(index * chunkLength, (index + 1) * chunkLength);
    return `\n@${tag} exec ${index + 1} ${total} ${chunk.length} ${chunk}\n`;
  });
}

/** Text for `printf %b`. */
function escaped(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replaceAll(/[^A-Za-z0-9_.,:;/=+-]/g, (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** One command of words as a line for `sh` that passes each of them on unchanged. */
export function shellCommand(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
}

/** What came back for one request. */
export type Reply =
  | { kind: 'pong' }
  | { kind: 'stopped' }
  | { kind: 'have'; sequence: number }
  | { kind: 'result'; exitCode: number; stdout: Buffer; stderr: Buffer }
  | { kind: 'too-much'; bytes: number }
  | { kind: 'failed'; words: string }
  | { kind: 'damaged'; words: string };

type StreamName = 'out' | 'err';

interface Stream {
  packed: boolean;
  lines: string[];
}

/** Takes the bytes of the port, however they are split, and finds the replies to one's own tags. */
export class ReplyReader {
  readonly #isOurs: (tag: string) => boolean;
  #rest = '';
  #skipping = false;
  #open: Stream | undefined;
  #streams: Partial<Record<StreamName, Stream>> = {};

  constructor(isOurs: (tag: string) => boolean) {
    this.#isOurs = isOurs;
  }

  /** The replies that these bytes complete. */
  push(bytes: Buffer): Reply[] {
    const replies: Reply[] = [];
    const lines = (this.#rest + bytes.toString('latin1')).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const reply = this.#skipping ? undefined : this.#line(line.endsWith('\r') ? line.slice(0, -1) : line);
      this.#skipping = false;
      if (reply !== undefined) replies.push(reply);
    }
    if (this.#rest.length > longestLine) {
      this.#rest = '';
      this.#skipping = true;
    }
    return replies;
  }

  #line(line: string): Reply | undefined {
    const words = /^=([0-9a-f]{16}) (\S+)(?: (.*))?$/.exec(line);
    if (words === null) {
      if (/^[A-Za-z0-9+/=]+$/.test(line)) this.#open?.lines.push(line);
      return undefined;
    }
    const [, tag = '', verb = '', rest = ''] = words;
    if (!this.#isOurs(tag)) return undefined;
    const [first = '', second = '', third = ''] = rest.split(' ');
    switch (verb) {
      case 'pong':
      case 'stopped':
        return { kind: verb };
      case 'have':
        return { kind: 'have', sequence: Number(first) };
      case 'out':
      case 'err':
        this.#open = { packed: first === 'gzip', lines: [] };
        this.#streams[verb] = this.#open;
        return undefined;
      case 'end':
        return this.#end(Number(first), Number(second), Number(third));
      case 'too-much':
        return { kind: 'too-much', bytes: Number(first) };
      case 'failed':
        return { kind: 'failed', words: rest };
      default:
        return undefined;
    }
  }

  #end(exitCode: number, outBytes: number, errBytes: number): Reply {
    const { out, err } = this.#streams;
    this.#streams = {};
    this.#open = undefined;
    try {
      const stdout = contentOf(out);
      const stderr = contentOf(err);
      if (stdout.length === outBytes && stderr.length === errBytes && Number.isInteger(exitCode)) {
        return { kind: 'result', exitCode, stdout, stderr };
      }
      const came = `${stdout.length} and ${stderr.length}`;
      return { kind: 'damaged', words: `of ${outBytes} and ${errBytes} bytes of output ${came} arrived` };
    } catch (error) {
      return { kind: 'damaged', words: `the output did not arrive whole: ${String(error)}` };
    }
  }
}

function contentOf(stream: Stream | undefined): Buffer {
  if (stream === undefined) throw new Error('a stream is missing');
  const bytes = Buffer.from(stream.lines.join(''), 'base64');
  return stream.packed ? gunzipSync(bytes) : bytes;
}
