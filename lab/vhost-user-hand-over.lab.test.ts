import { cpSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { descriptorOf } from '../src/host/sys/descriptor-of.ts';
import { descriptorSender } from '../src/host/sys/send-descriptor.ts';
import { BackEndConnection } from '../src/host/vhost-user/back-end-connection.ts';
import { QmpConnection } from '../src/hypervisors/qemu/index.ts';
import { startScriptedPeer } from './back-ends/scripted-peer.testing.ts';
import { rootPort, tellVmm } from './errors.testing.ts';
import { startForeignQemu } from './foreign-qemu.ts';
import { runProgram } from './guest/run-program.ts';
import { Lab } from './harness.ts';

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const patience = { timeoutMs: 60_000 };
const machine = ['-machine', 'q35', '-S', ...rootPort('port0', 2)];
const bare = { waits: false, sharedMemory: true } as const;

/** Gives QEMU the connection to a socket under a name, over a QMP connection that ends then. */
async function handOver(qmp: string, name: string, socket: string): Promise<void> {
  const write = await descriptorSender();
  if (write === undefined)
    throw new Error('koffi is missing: npm ci installs it, unless --omit=optional is set');
  using backEnd = new BackEndConnection(socket);
  await once(backEnd.socket, 'connect');
  await using connection = await QmpConnection.connect(qmp, patience);
  const getfd = {
    execute: 'getfd',
    arguments: { fdname: name },
    send: (to: Parameters<typeof write>[0], bytes: Uint8Array) =>
      write(to, bytes, descriptorOf(backEnd.socket) ?? -1),
  };
  expect(await Promise.all(connection.batch([getfd], patience))).toEqual([{}]);
}

test.each(['system', '10'] as const)(
  'a connection that was handed over to the QEMU that is %s outlives who did so, until it is closed by name or used',
  async (qemu) => {
    await using vm = await startForeignQemu(lab.directory, machine, { ...bare, qemu });
    const socket = lab.path('back-end.sock');
    const left: Promise<unknown>[] = [];
    const server = createServer((client) => left.push(once(client.resume(), 'close'))).listen(socket);
    await once(server, 'listening');
    try {
      await handOver(vm.qmp, 'kept', socket);
      // Whoever comes next finds it: it was not closed with the connection.
      await tellVmm(vm.qmp, ['closefd', { fdname: 'kept' }]);
      await Promise.all(left);
      expect(left).toHaveLength(1);

      await handOver(vm.qmp, 'used', socket);
      const addr = { type: 'fd', data: { str: 'used' } };
      const backend = { type: 'socket', data: { addr, server: false } };
      await tellVmm(vm.qmp, ['chardev-add', { id: 'c', backend }]);
      await expect(tellVmm(vm.qmp, ['closefd', { fdname: 'used' }])).rejects.toThrow('not found');
      await tellVmm(vm.qmp, ['chardev-remove', { id: 'c' }]);
      await Promise.all(left);
      expect(left).toHaveLength(2);
    } finally {
      server.close();
    }
  },
);

test('the dry run says what is done to make sure of the program, and that nothing is where koffi is missing', async () => {
  await using vm = await startForeignQemu(lab.directory, machine, bare);
  await lab.ok('sandbox', 'adopt', 'vm', '--qmp', vm.qmp);
  await using peer = await startScriptedPeer(lab.directory, 'silent');
  const dryRun = ['attach', 'vm', `vhost-user-blk:${peer.socket}`, '--dry-run', '--wait', 'acknowledged'];
  expect((await lab.vmplug(...dryRun)).stdout).toContain('hand the connection over');

  const built = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist/bin');
  cpSync(built, lab.path('bin'), { recursive: true });
  const args = [lab.path('bin/main.cjs'), ...dryRun, '--state-dir', lab.stateDir];
  const said = (await runProgram(process.execPath, args)).toString();
  expect(said).toContain('without a check of the program behind it');
  expect(said).not.toContain('getfd');
});
