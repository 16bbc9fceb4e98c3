import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';

const prompt = 'virsh # ';

/**
 * One virsh that is fed commands: it stays connected, so that what is measured is libvirt and
 * not the start of a client. One command at a time.
 */
export class VirshSession implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = '';
  #errors = '';
  #waiting: { resolve: () => void; reject: (error: Error) => void } | undefined;

  private constructor(uri: string) {
    this.#child = spawn('virsh', ['-q', '-c', uri], {
      env: { ...process.env, LC_ALL: 'C', TERM: 'dumb', VIRSH_HISTSIZE: '0' },
    });
    this.#child.stdout.on('data', (bytes: Buffer) => {
      this.#output += bytes.toString('utf8');
      if (this.#output.endsWith(prompt)) this.#waiting?.resolve();
    });
    this.#child.stderr.on('data', (bytes: Buffer) => {
      this.#errors += bytes.toString('utf8');
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('error', (error) => this.#waiting?.reject(error));
    this.#child.on('exit', () => this.#waiting?.reject(new Error(`virsh ended: ${this.#errors}`)));
  }

  static async start(uri: string): Promise<VirshSession> {
    const session = new VirshSession(uri);
    await session.#prompted();
    return session;
  }

  /** Runs one command; returns what it printed. Throws virsh's own words. */
  async run(command: string): Promise<string> {
    this.#output = '';
    this.#errors = '';
    const prompted = this.#prompted();
    this.#child.stdin.write(`${command}\n`);
    await prompted;
    if (this.#errors !== '') throw new Error(`virsh ${command}: ${this.#errors.trim()}`);
    return this.#output.slice(0, -prompt.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  async #prompted(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    this.#waiting = undefined;
  }
}
