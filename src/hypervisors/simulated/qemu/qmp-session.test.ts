import { describe, expect, test } from 'vitest';
import { plugDisk, talkTo } from './conversation.testing.ts';
import { holdAt } from './hold-point.ts';
import { MessagePoints, type MessagePoint } from './message-points.ts';
import { QmpSession } from './qmp-session.ts';
import { SimulatedQemu } from './simulated-qemu.ts';

function fresh(): { lines: string[]; session: QmpSession } {
  const lines: string[] = [];
  const session = new QmpSession(new SimulatedQemu(), new MessagePoints(), {
    write: (text) => void lines.push(text),
    drop: () => undefined,
  });
  return { lines, session };
}

describe('the protocol, as QEMU 7.2 and 10.0 were seen to speak it', () => {
  test('it greets, wants capabilities first, and only once', () => {
    const { lines, session } = fresh();
    expect(lines.shift()).toMatch(/^\{"QMP":\{"version":\{.*"capabilities":\["oob"\]\}\}\r\n$/);
    session.push(
      Buffer.from('{"execute":"query-status","id":1}{"execute":"qmp_capabilities","id":{"a":[1]}}'),
    );
    session.push(Buffer.from('{"execute":"qmp_capabilities","id":2}\n'));
    const refusal = (text: string): object => ({ error: { class: 'CommandNotFound', desc: text } });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { id: 1, ...refusal("Expecting capabilities negotiation with 'qmp_capabilities'") },
      { return: {}, id: { a: [1] } },
      { id: 2, ...refusal('Capabilities negotiation is already complete, command ignored') },
    ]);
  });

  test.each([
    ['{"execute":"nosuch"}', 'CommandNotFound: The command nosuch has not been found'],
    ['{"exec":"nosuch"}', "QMP input member 'exec' is unexpected"],
    ['[1]', 'QMP input must be a JSON object'],
    ['{"execute":5}', "QMP input member 'execute' must be a string"],
    ['{"execute":"query-status","arguments":5}', "QMP input member 'arguments' must be an object"],
    ['{"id":1}', "QMP input lacks member 'execute'"],
    ['{"execute":}', 'JSON parse error, invalid syntax'],
    ['{"execute":"qom-list"}', "Parameter 'path' is missing"],
    ['{"execute":"qom-list","arguments":{"path":7}}', "Invalid parameter type for 'path', expected: string"],
  ])('%s', (text, words) => {
    expect(talkTo().say(text).join('')).toContain(words.replace(/^CommandNotFound: /, ''));
  });

  test('any split of the bytes gives the same answers, and no line feed is needed', () => {
    const text = '{"execute":"query-status","id":"ä{\\"}"} {"execute":"query-kvm","id":18446744073709551615}';
    const whole = talkTo().say(text);
    expect(whole).toHaveLength(2);
    expect(whole[1]).toContain('"id":18446744073709551615');
    const client = talkTo();
    for (const byte of Buffer.from(text)) client.session.push(Buffer.of(byte));
    expect(client.say('')).toEqual(whole);
  });

  test('what a client said in part when it died is not carried out', () => {
    const client = talkTo();
    client.say('{"execute":"stop"');
    client.session.end();
    expect(client.vm.machine.status).toBe('running');
  });

  test('events of what a command did come behind its answer, those of the VM before it', () => {
    const client = talkTo();
    client.ask('blockdev-add', {
      driver: 'raw',
      'node-name': 'a',
      file: { driver: 'file', 'node-name': 'f' },
    });
    client.ask('device_add', {
      driver: 'scsi-hd',
      id: 's',
      bus: 'scsi0.0',
      drive: 'a',
      'scsi-id': 0,
      lun: 0,
    });
    expect(client.ask('device_del', { id: 's' })).toEqual([
      '{}',
      'DEVICE_DELETED {"device":"s","path":"/machine/peripheral/s"}',
    ]);
    expect(client.ask('stop')).toEqual(['STOP', '{}']);
    expect(client.ask('cont')).toEqual(['RESUME', '{}']);
    expect(client.ask('quit')).toEqual([
      '{}',
      'SHUTDOWN {"guest":false,"reason":"host-qmp-quit"}',
      '(cut off)',
    ]);
  });

  test('nobody is told of what happened before', () => {
    const client = talkTo();
    plugDisk(client, 'a');
    client.session.end();
    client.vm.machine.letGo('a');
    expect(client.heard()).toEqual([]);
  });
});

describe('points of a conversation', () => {
  test('every command and event passes them in order', () => {
    const client = talkTo();
    const seen: MessagePoint[] = [];
    client.points.watch((point) => {
      seen.push(point);
      return undefined;
    });
    client.ask('stop');
    client.vm.cont();
    expect(seen.map(({ index, kind, name, phase }) => `${index} ${kind} ${name} ${phase}`)).toEqual([
      ...['2 command stop before', '2 command stop done', '2 command stop after'],
      ...['3 event RESUME before', '3 event RESUME after'],
    ]);
  });

  test.each([
    ['before', 'go-on', 1, ['{}']],
    ['before', 'drop', 0, ['(cut off)']],
    ['done', 'drop', 1, ['(cut off)']],
    ['after', 'drop', 1, ['{}', '(cut off)']],
  ] as const)('held %s a command, then %s', async (phase, what, nodes, said) => {
    const client = talkTo();
    const held = holdAt(client.points, { kind: 'command', name: 'blockdev-add', phase });
    const args = { driver: 'raw', 'node-name': 'a', file: { driver: 'file', 'node-name': 'f' } };
    const before = client.ask('blockdev-add', args);
    expect(await held.reached).toMatchObject({ name: 'blockdev-add', phase });
    expect(client.ask('query-kvm')).toEqual([]);
    held.release(what);
    await held.reached;
    await Promise.resolve();
    await Promise.resolve();
    expect(client.vm.machine.nodes.all).toHaveLength(nodes);
    const after = client.heard();
    expect([...before, ...after].slice(0, said.length)).toEqual(said);
    expect(after.some((line) => line.includes('enabled'))).toBe(what === 'go-on');
  });
});
