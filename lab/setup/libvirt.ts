import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve as absolute } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VmplugError } from '../../src/api/errors.ts';
import { runProgram } from '../guest/run-program.ts';
import { ensurePackages, libvirtPackages, qemuPackages } from './packages.ts';

/** A libvirt of our own, to measure against and to take VMs from. */
export interface Libvirt extends AsyncDisposable {
  /** For `virsh -c` and other clients. */
  uri: string;
  /** libvirt's folder of a running domain has the QMP socket: `DIR/domain-ID-NAME/monitor.sock`. */
  domainsDir: string;
  /** Runs one virsh command and returns what it prints. Throws VmplugError `start-failed` with virsh's words. */
  virsh(...args: string[]): Promise<string>;
}

/** libvirtd 9.0 takes its folders from nowhere but these places. */
const places = { etc: '/etc/libvirt', run: '/run', lib: '/var/lib', cache: '/var/cache', log: '/var/log' };

const startMs = 20_000;
const stopMs = 10_000;

/**
 * Starts a libvirtd that shares nothing with one of the system: it runs in mount and process namespaces of its own,
 * where its fixed folders are subfolders of `dir`. Its domains end with it, and it ends with this process, however
 * that ends. Needs root. Domains must be of type `qemu` unless /dev/kvm works, and their files must not be below
 * /run, /var/lib, /var/cache or /var/log, which its QEMUs do not see. `dir` is removed at the end.
 *
 * @throws VmplugError `missing-package`, `unsupported` without root, `invalid-argument` for a `dir` that would be
 * hidden from libvirtd, is not empty or makes its sockets' paths too long, `start-failed` with the end of its log.
 */
export async function startLibvirt(dir: string): Promise<Libvirt> {
  const home = absolute(dir);
  checkPlace(home);
  await ensurePackages([...qemuPackages, ...libvirtPackages]);
  await mkdir(home, { recursive: true });
  if ((await readdir(home)).length > 0) throw unfit(home, 'invalid-argument', 'the folder is not empty');
  for (const place of Object.keys(places)) await mkdir(join(home, place), { recursive: true });
  await writeFile(join(home, 'etc', 'libvirtd.conf'), libvirtdConf);
  await writeFile(join(home, 'etc', 'qemu.conf'), qemuConf);
  await writeFile(join(home, 'start.sh'), startScript);
  // Debian's libvirtd ends at once without its default user, even if qemu.conf names another one.
  await addLine('/etc/passwd', 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin', join(home, 'passwd'));
  await addLine('/etc/group', 'libvirt-qemu:x:64055:', join(home, 'group'));

  const logFile = join(home, 'libvirtd.log');
  const log = await open(logFile, 'w');
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', join(home, 'start.sh'), home],
    {
      // Its stdin is how it learns that this process has ended.
      stdio: ['pipe', log.fd, log.fd],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', HOME: home },
    },
  );
  await log.close();
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('exit', () => resolve());
  });
  child.stdin?.on('error', () => {});

  const socket = join(home, 'run', 'libvirt', 'libvirt-sock');
  const uri = `qemu+unix:///system?socket=${socket}`;
  const virsh = async (...args: string[]): Promise<string> =>
    (await runProgram('virsh', ['-q', '-c', uri, ...args])).toString();
  const stop = async (): Promise<void> => {
    await end(child, ended);
    await rm(home, { recursive: true, force: true });
  };
  try {
    await listening(socket, child);
    await virsh('version');
  } catch (cause) {
    const words = (await readFile(logFile, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
    await stop();
    throw new VmplugError('start-failed', {
      action: 'start libvirtd in',
      subject: home,
      reason: words === '' ? String(cause) : words,
      cause,
    });
  }
  return { uri, domainsDir: join(home, 'lib', 'libvirt', 'qemu'), virsh, [Symbol.asyncDispose]: stop };
}

function checkPlace(home: string): void {
  if (process.getuid?.() !== 0)
    throw unfit(home, 'unsupported', 'a libvirtd of our own needs root for its namespaces');
  const hidden = Object.values(places).find((place) => `${home}/`.startsWith(`${place}/`));
  if (hidden !== undefined) throw unfit(home, 'invalid-argument', `libvirtd has a ${hidden} of its own`);
  // The longest socket: lib/libvirt/qemu/domain-N-NAME/monitor.sock, and a UNIX socket's path has at most 107 bytes.
  if (home.length > 45)
    throw unfit(
      home,
      'invalid-argument',
      'the path is longer than 45 characters, too long for sockets in it',
    );
}

function unfit(home: string, code: 'invalid-argument' | 'unsupported', reason: string): VmplugError {
  return new VmplugError(code, { action: 'start libvirtd in', subject: home, reason });
}

async function addLine(from: string, line: string, to: string): Promise<void> {
  const text = await readFile(from, 'utf8');
  const there = text.includes(`\n${line.slice(0, line.indexOf(':') + 1)}`);
  await writeFile(to, there ? text : `${text}${line}\n`);
}

async function listening(socket: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + startMs;
  for (;;) {
    const failure = await new Promise<Error | undefined>((resolve) => {
      const attempt = connect(socket, () => {
        attempt.destroy();
        resolve(undefined);
      });
      attempt.on('error', resolve);
    });
    if (failure === undefined) return;
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) throw failure;
    await sleep(20);
  }
}

/** Asks it to end by closing its stdin; with the first process of its namespace every other one in it ends. */
async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
}

const libvirtdConf = `auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
`;

const qemuConf = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
max_core = 0
`;

/** The first process of the namespace: it also collects the QEMUs, which libvirtd leaves without a parent. */
const startScript = `set -e
home=$1
mount --bind "$home/passwd" /etc/passwd
mount --bind "$home/group" /etc/group
mount --bind "$home/etc" ${places.etc}
mount --bind "$home/run" ${places.run}
mount --bind "$home/lib" ${places.lib}
mount --bind "$home/cache" ${places.cache}
mount --bind "$home/log" ${places.log}
exec 3<&0
libvirtd --config ${places.etc}/libvirtd.conf --pid-file ${places.run}/libvirtd.pid </dev/null 3<&- &
libvirtd=$!
{ cat <&3 >/dev/null; kill -TERM $libvirtd; } &
wait $libvirtd
`;
