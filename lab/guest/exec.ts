import { VmplugError } from '../../src/api/errors.ts';
import { exchange, type GuestWait, type Port } from './port.ts';
import { execRequests, newTag, pingRequest, shellCommand, stopRequest, type Reply } from './protocol.ts';

export interface GuestResult {
  /** As a shell tells it: 128 + n if the command was ended by signal n. */
  exitCode: number;
  stdout: Buffer;
  stderr: Buffer;
}

/** How often an unanswered guest is asked again, in milliseconds. */
const pingEveryMs = 100;
const firstResendMs = 300;
const slowestResendMs = 3000;

/** How long a socket that the VMM has yet to make is waited for, in milliseconds. */
const socketGraceMs = 1000;

/**
 * Runs a command in the lab guest as root, in `/`, without input, through the UNIX socket of its second serial port
 * (`-serial unix:PATH,server=on,wait=off`). A string is a script for `sh`; an array is one command with its arguments,
 * each passed on unchanged. A command that is not awaited to its end (deadline, abort) is killed in the guest. The port
 * serves one client at a time; a second one waits within its own deadline.
 *
 * @throws VmplugError `deadline-passed` if there is no result within `timeoutMs`, `vm-gone` if nobody listens on the
 * socket or it closes, `aborted`, `unsupported` if the command prints more than 16 MiB, `protocol-error` if the
 * guest cannot run it or its output arrives damaged. A command that fails is a result, not an error.
 */
export async function execInGuest(
  socketPath: string,
  command: readonly string[] | string,
  options: GuestWait,
): Promise<GuestResult> {
  const script = typeof command === 'string' ? command : shellCommand(command);
  const tag = newTag();
  const requests = execRequests(tag, script);
  let had = 0;

  const send = (port: Port, resendMs: number): void => {
    const request = requests[had];
    if (request === undefined) return;
    const sent = had;
    port.send(request);
    port.after(resendMs, () => {
      if (had === sent) send(port, Math.min(resendMs * 2, slowestResendMs));
    });
  };
  const failure = (code: 'unsupported' | 'protocol-error', reason: string): VmplugError =>
    new VmplugError(code, { action: 'run in the guest', subject: script, reason });

  return await exchange<GuestResult>(socketPath, options, {
    action: 'run a command in the guest at',
    isOurs: (candidate) => candidate === tag,
    overdue: () =>
      had === requests.length
        ? {
            reason: `the command still ran after ${options.timeoutMs} ms and was ended: ${script.slice(0, 100)}`,
          }
        : unanswered(options.timeoutMs),
    farewell: () => (had === 0 ? undefined : stopRequest(tag)),
    start: (port) => send(port, firstResendMs),
    reply: (reply: Reply, port) => {
      switch (reply.kind) {
        case 'have':
          if (reply.sequence > had && reply.sequence <= requests.length) {
            had = reply.sequence;
            send(port, firstResendMs);
          }
          return undefined;
        case 'result':
          return { value: { exitCode: reply.exitCode, stdout: reply.stdout, stderr: reply.stderr } };
        case 'too-much':
          throw failure(
            'unsupported',
            `it printed ${reply.bytes} bytes, more than the 16 MiB that are carried`,
          );
        case 'failed':
        case 'damaged':
          throw failure('protocol-error', reply.words);
        case 'pong':
        case 'stopped':
          return undefined;
        default:
          return undefined;
      }
    },
  });
}

/**
 * Waits until the lab guest takes commands. A socket that is not there yet is waited for up to a second.
 *
 * @throws VmplugError `deadline-passed`, `vm-gone`, `aborted`: as {@link execInGuest}.
 */
export async function waitForGuest(socketPath: string, options: GuestWait): Promise<void> {
  const tags = new Set<string>();
  const ping = (port: Port): void => {
    const tag = newTag();
    tags.add(tag);
    port.send(pingRequest(tag));
    port.after(pingEveryMs, () => ping(port));
  };
  await exchange<true>(socketPath, options, {
    action: 'wait for the guest at',
    isOurs: (tag) => tags.has(tag),
    overdue: () => unanswered(options.timeoutMs),
    graceMs: socketGraceMs,
    start: ping,
    reply: (reply) => (reply.kind === 'pong' ? { value: true } : undefined),
  });
}

function unanswered(timeoutMs: number): { reason: string; hint: string } {
  return {
    reason: `the guest did not answer within ${timeoutMs} ms`,
    hint: 'It still boots, is stopped or hangs (see its console), or another client holds the port.',
  };
}
