import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../host/host.testing.ts';
import { served } from '../devices/plan-request.testing.ts';
import { SimulatedHypervisor, SimulatedMachine } from '../hypervisors/simulated/index.ts';
import { VmplugError } from '../api/errors.ts';
import { refusedPeer } from './back-end-errors.ts';
import { testDisk } from './bench.testing.ts';
import { peerChecksFor } from './peer-checks.ts';

const plain = new SimulatedHypervisor(new SimulatedMachine());
const both = Object.assign(new SimulatedHypervisor(new SimulatedMachine()), {
  peerChecks: () => Promise.resolve(['leave', 'hand-over'] as const),
});

test('what this VMM can do is asked where there is a program behind a socket that may be connected to', async () => {
  using directory = temporaryDirectory();
  const socket = join(directory.path, 's');
  const server = createServer().listen(socket);
  await once(server, 'listening');
  try {
    const host = served('vhost-user-blk', { socket });
    expect(await peerChecksFor(both, host)).toEqual(['leave', 'hand-over']);
    expect(await peerChecksFor(plain, host)).toEqual([]);
    expect(await peerChecksFor(both, testDisk('a'))).toEqual([]);
    const missing = served('vhost-user-blk', { socket: `${socket}.missing` });
    expect(await peerChecksFor(both, missing)).toEqual([]);
  } finally {
    server.close();
  }
});

test.each(['not-vhost-user', 'backend-silent', 'socket-not-served', 'aborted'] as const)(
  'an attach that ends with %s says that nothing was changed',
  async (code) => {
    const host = served('vhost-user-blk', { socket: '/nonexistent.sock' });
    const attachment = {
      id: '0123456789abcdef',
      sandbox: 'vm',
      source: 'vhost-user-blk:/nonexistent.sock',
      host,
    };
    const found = new VmplugError(code, { action: 'ask', subject: '/nonexistent.sock', reason: 'so it was' });
    const error = await refusedPeer(attachment, found);
    expect(error).toMatchObject({ code, subject: attachment.source });
    expect(error?.hint).toContain('othing was changed in vm');
    expect(await refusedPeer({ ...attachment, host: testDisk('a') }, found)).toBeUndefined();
  },
);
