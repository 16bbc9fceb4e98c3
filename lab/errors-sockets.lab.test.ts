import { renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { QmpConnection } from '../src/hypervisors/qemu/index.ts';
import { changesNothing, refusalOf, refused, rootPort, vmmHas } from './errors.testing.ts';
import { startForeignQemu, type ForeignQemu } from './foreign-qemu.ts';
import { Lab } from './harness.ts';

let lab: Lab;
let vm: ForeignQemu;

beforeAll(async () => {
  lab = new Lab();
  vm = await startForeignQemu(lab.directory, ['-machine', 'q35', '-S', ...rootPort('port0', 2)], {
    waits: false,
  });
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', vm.qmp);
});
afterAll(async () => {
  await vm[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** A server that does what a test wants with each client. */
async function server(path: string, serve: (client: Socket) => void): Promise<AsyncDisposable> {
  const clients = new Set<Socket>();
  const listening = createServer((client) => {
    clients.add(client);
    client.on('error', () => undefined);
    client.on('close', () => clients.delete(client));
    serve(client);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listening.once('error', reject);
  listening.listen(path, resolve);
  await promise;
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      listening.close(() => closed.resolve());
      for (const client of clients) client.destroy();
      await closed.promise;
    },
  };
}

describe('adopting by a path that is no QMP socket', () => {
  test('nothing is there', async () => {
    const path = lab.path('nowhere.sock');
    const error = await changesNothing(lab, ['vm'], () =>
      refused(lab, 'vm-gone', 'sandbox', 'adopt', 'x', '--qmp', path),
    );
    expect(error).toMatchObject({
      message: expect.stringContaining(path),
      hint: expect.stringContaining('-qmp'),
    });
  });

  test('a directory on the way is missing', async () => {
    await refused(lab, 'vm-gone', 'sandbox', 'adopt', 'x', '--qmp', lab.path('no/such/qmp.sock'));
  });

  test('a regular file, a directory', async () => {
    const file = lab.path('file');
    writeFileSync(file, 'text');
    for (const path of [file, lab.directory]) {
      const error = await refused(lab, 'not-qmp', 'sandbox', 'adopt', 'x', '--qmp', path);
      expect(error.message).toContain(JSON.stringify(path));
      expect(error.hint).toContain('-qmp');
    }
  });

  test('a path that is too long for a socket, or empty', async () => {
    const path = lab.path('s'.repeat(120));
    const error = await refused(lab, 'invalid-argument', 'sandbox', 'adopt', 'x', '--qmp', path);
    expect(error).toMatchObject({ reason: expect.stringContaining('107'), hint: expect.any(String) });
    await refused(lab, 'invalid-argument', 'sandbox', 'adopt', 'x', '--qmp', '');
    const long = await refused(
      lab,
      'invalid-argument',
      'sandbox',
      'adopt',
      'x',
      '--qmp',
      `/${'s'.repeat(10_000)}`,
    );
    expect(long.message.length).toBeLessThan(500);
  });

  test.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n', 'HTTP/1.1 400'],
    [
      'the monitor for humans',
      "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
      'QEMU 7.2.22',
    ],
    ['an object that is no greeting', '{"return": {}}\n', 'return'],
    ['a terminal escape', '\u001b[31mlogin:\u001b[0m\n', 'login'],
  ])('a server that says %s', async (_, words, said) => {
    await using _other = await server(lab.path('other.sock'), (client) => client.write(words));
    const error = await changesNothing(lab, ['vm'], () =>
      refused(lab, 'not-qmp', 'sandbox', 'adopt', 'x', '--qmp', lab.path('other.sock'), '--timeout', '5s'),
    );
    expect(error.reason).toContain(said);
    expect(error.message).not.toContain('\u001b');
    expect(error.hint).not.toBeNull();
  });

  test('a server that sends bytes without an end', async () => {
    const noise = Buffer.alloc(64 * 1024, 0x9b);
    await using _ = await server(lab.path('noise.sock'), (client) => {
      const more = (): void => {
        while (client.writable && client.write(noise));
      };
      client.on('drain', more);
      more();
    });
    const error = await refused(lab, 'not-qmp', 'sandbox', 'adopt', 'x', '--qmp', lab.path('noise.sock'));
    expect(error.hint).not.toBeNull();
  });

  test('a server that greets and then sends garbage', async () => {
    await using _ = await server(lab.path('broken.sock'), (client) => {
      client.write(
        '{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}, "capabilities": []}}\n',
      );
      client.on('data', () => client.write('{"return": {}, "id"\u0000\u0001\n'));
    });
    const error = await refused(
      lab,
      'protocol-error',
      'sandbox',
      'adopt',
      'x',
      '--qmp',
      lab.path('broken.sock'),
      '--timeout',
      '5s',
    );
    expect(error.message).toContain('broken.sock');
  });

  test('a server that hangs up at once', async () => {
    await using _ = await server(lab.path('curt.sock'), (client) => client.end());
    const error = await refused(lab, 'vm-gone', 'sandbox', 'adopt', 'x', '--qmp', lab.path('curt.sock'));
    expect(error.message).toContain('curt.sock');
  });

  test('a server that says nothing, within the timeout', async () => {
    await using _ = await server(lab.path('silent.sock'), () => undefined);
    const started = performance.now();
    const error = await refused(
      lab,
      'monitor-busy',
      'sandbox',
      'adopt',
      'x',
      '--qmp',
      lab.path('silent.sock'),
      '--timeout',
      '1s',
    );
    expect(performance.now() - started).toBeLessThan(5000);
    expect(error.hint).toContain('one client at a time');
  });

  test('the names stay free: what failed can be done again when it is right', async () => {
    expect(await lab.ok('sandbox', 'ls')).toMatchObject({ sandboxes: [{ name: 'vm' }] });
  });
});

describe('a QMP socket that another client holds', () => {
  test('attach, detach and inspect give up in time and say why; freed, they work', async () => {
    const image = lab.image('busy.img');
    const before = await vmmHas(vm.qmp);
    {
      await using _ = await QmpConnection.connect(vm.qmp, { timeoutMs: 10_000 });
      for (const args of [
        ['attach', 'vm', image, '--wait', 'acknowledged'],
        ['sandbox', 'adopt', 'other', '--qmp', vm.qmp.replace(/\/([^/]+)$/, '/./$1')],
      ]) {
        const started = performance.now();
        const code = args[0] === 'attach' ? 'monitor-busy' : 'sandbox-exists';
        const error = await refused(lab, code, ...args, '--timeout', '700ms');
        expect(performance.now() - started).toBeLessThan(4000);
        expect(error.message).toContain(code === 'monitor-busy' ? vm.qmp : 'vm');
        expect(error.hint).not.toBeNull();
      }
      const view = await lab.ok<{ problem: { code: string } }>(
        'sandbox',
        'inspect',
        'vm',
        '--timeout',
        '700ms',
      );
      expect(view.problem.code).toBe('monitor-busy');
      const doctor = await lab.vmplug('doctor', '--json', '--timeout', '700ms');
      expect(doctor).toMatchObject({ code: 1 });
      expect(doctor.json()).toMatchObject({
        ok: false,
        findings: [{ problem: 'vm-unreachable', sandbox: 'vm' }],
      });
    }
    expect(await vmmHas(vm.qmp)).toEqual(before);
    expect(await lab.ok('doctor')).toMatchObject({ ok: true });

    const device = await lab.ok<{ id: string }>('attach', 'vm', image, '--wait', 'acknowledged');
    {
      await using _ = await QmpConnection.connect(vm.qmp, { timeoutMs: 10_000 });
      const error = await refused(lab, 'monitor-busy', 'detach', 'vm', device.id, '--timeout', '700ms');
      expect(error.message).toContain(vm.qmp);
    }
    expect(await lab.ok('ls')).toMatchObject({ devices: [{ id: device.id, state: 'attached' }] });
  });

  test('a command that waits is served when the other one leaves', async () => {
    const held = await QmpConnection.connect(vm.qmp, { timeoutMs: 10_000 });
    const waiting = lab.start('sandbox', 'inspect', 'vm', '--json', '--timeout', '20s');
    try {
      let ended = false;
      void waiting.ended.then(() => (ended = true));
      // The command is in QEMU's queue once its process has connected.
      await expect.poll(() => connections(vm.qmp), { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
      expect(ended).toBe(false);
      await held.close();
      expect(await waiting.ended).toMatchObject({ code: 0 });
    } finally {
      await held.close();
      waiting.kill();
      await waiting.ended;
    }
  });

  test('ctrl-C while waiting for it ends promptly', async () => {
    const image = lab.image('impatient.img');
    await using _ = await QmpConnection.connect(vm.qmp, { timeoutMs: 10_000 });
    const before = await lab.ok('ls');
    const waiting = lab.start('attach', 'vm', image, '--json', '--timeout', '60s', '--wait', 'acknowledged');
    try {
      await expect.poll(() => connections(vm.qmp), { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
      const interrupted = performance.now();
      waiting.kill('SIGINT');
      refusalOf(await waiting.ended, 'aborted');
      expect(performance.now() - interrupted).toBeLessThan(3000);
    } finally {
      waiting.kill();
      await waiting.ended;
    }
    expect(await lab.ok('ls')).toEqual(before);
  });
});

describe('a VM that cannot be reached', () => {
  test('its socket is gone while it runs: nobody knows, so nothing is freed', async () => {
    await using own = new Lab();
    await using away = await startForeignQemu(own.directory, ['-S', '-device', 'virtio-scsi-pci'], {
      waits: false,
    });
    await own.ok('sandbox', 'adopt', 'away', '--qmp', away.qmp);
    const image = own.image('a.img');
    const plug = ['--driver', 'virtio-scsi', '--wait', 'acknowledged'];
    const { id } = await own.ok<{ id: string }>('attach', 'away', image, ...plug);
    const before = await own.ok('ls');
    renameSync(away.qmp, `${away.qmp}.moved`);
    for (const args of [
      ['attach', 'away', own.image('b.img'), ...plug],
      ['detach', 'away', id],
    ]) {
      const error = await refused(own, 'outcome-unknown', ...args);
      expect(error).toMatchObject({
        message: expect.stringContaining('away'),
        hint: expect.stringContaining('vmplug'),
      });
    }
    const error = await refused(own, 'sandbox-in-use', 'sandbox', 'forget', 'away');
    expect(error.facts).toMatchObject({ devices: 1 });
    // Its process is known to run.
    await refused(own, 'sandbox-in-use', 'sandbox', 'forget', 'away', '--force');
    const doctor = await own.vmplug('doctor', '--repair', '--json');
    expect(doctor).toMatchObject({ code: 1 });
    expect(doctor.json()).toMatchObject({ findings: [{ problem: 'vm-unreachable', repaired: false }] });
    expect(await own.ok('ls')).toEqual(before);

    renameSync(`${away.qmp}.moved`, away.qmp);
    await own.ok('detach', 'away', id);
    await own.ok('sandbox', 'forget', 'away');
  });

  test('it hangs: attach, detach and inspect end at their deadlines; running again, all works', async () => {
    await using own = new Lab();
    await using hung = await startForeignQemu(own.directory, ['-S', '-device', 'virtio-scsi-pci'], {
      waits: false,
    });
    await own.ok('sandbox', 'adopt', 'hung', '--qmp', hung.qmp);
    const image = own.image('a.img');
    const plug = ['--driver', 'virtio-scsi', '--wait', 'acknowledged'];
    const { id } = await own.ok<{ id: string }>('attach', 'hung', image, ...plug);
    process.kill(hung.pid, 'SIGSTOP');
    try {
      for (const args of [
        ['attach', 'hung', own.image('b.img'), ...plug],
        ['detach', 'hung', id],
      ]) {
        const started = performance.now();
        const error = await refused(own, 'monitor-busy', ...args, '--timeout', '700ms');
        expect(performance.now() - started).toBeLessThan(4000);
        expect(error.hint).not.toBeNull();
      }
      expect(await own.ok('ls')).toMatchObject({ devices: [{ id, state: 'attached' }] });
    } finally {
      process.kill(hung.pid, 'SIGCONT');
    }
    await own.ok('detach', 'hung', id);
    expect(await vmmHas(hung.qmp)).toMatchObject({ nodes: [] });
    expect(await own.ok('doctor')).toMatchObject({ ok: true, findings: [] });
  });
});

/** How many connections there are to a socket: /proc/net/unix names it once for each, and once for the listener. */
async function connections(path: string): Promise<number> {
  const lines = (await readFile('/proc/net/unix', 'utf8'))
    .split('\n')
    .filter((line) => line.endsWith(` ${path}`));
  return lines.length - 1;
}
