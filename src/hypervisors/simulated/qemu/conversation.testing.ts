import { MessagePoints } from './message-points.ts';
import { QmpSession } from './qmp-session.ts';
import { SimulatedQemu, type SimulatedQemuOptions } from './simulated-qemu.ts';
import { VirtualClock } from './clock.ts';

/** A client without a socket. */
export interface TestClient {
  readonly vm: SimulatedQemu;
  readonly clock: VirtualClock;
  readonly points: MessagePoints;
  readonly session: QmpSession;
  /** What was said since the last call, as lines. */
  heard(): string[];
  /** Says something and returns what came of it. */
  say(...texts: string[]): string[];
  /** A command, its answer without the id. */
  ask(execute: string, args?: object): string[];
}

/** A client that has negotiated. */
export function talkTo(options: SimulatedQemuOptions = {}): TestClient {
  const clock = new VirtualClock();
  const vm = new SimulatedQemu({ ...options, clock });
  const points = new MessagePoints();
  let lines: string[] = [];
  const session = new QmpSession(vm, points, {
    write: (text) => void lines.push(text.trimEnd()),
    drop: () => void lines.push('(cut off)'),
  });
  const heard = (): string[] => {
    const all = lines;
    lines = [];
    return all;
  };
  const say = (...texts: string[]): string[] => {
    for (const text of texts) session.push(Buffer.from(text));
    return heard();
  };
  const ask = (execute: string, args?: object): string[] =>
    say(JSON.stringify({ execute, arguments: args })).map(short);
  ask('qmp_capabilities');
  return { vm, clock, points, session, heard: () => heard().map(short), say, ask };
}

/** What matters of a line: an event's name and device, a refusal's words, or what is returned. */
function short(line: string): string {
  const match = /^\{"timestamp":\{[^}]*\},"event":"(\w+)"(?:,"data":(.*))?\}$/.exec(line);
  if (match !== null) return `${match[1]} ${match[2] ?? ''}`.trim();
  const refusal = /"error":\{"class":"(\w+)","desc":"((?:[^"\\]|\\.)*)"\}/.exec(line);
  if (refusal !== null)
    return refusal[1] === 'GenericError' ? `${refusal[2]}` : `${refusal[1]}: ${refusal[2]}`;
  return line.replace(/^\{"return":(.*)\}$/, '$1');
}

/** Gives a VM a disk on a port: node and device are both called `id`. */
export function plugDisk(client: TestClient, id: string, bus = 'port0'): string[] {
  const file = { driver: 'file', 'node-name': `${id}-f`, filename: `/${id}` };
  return [
    ...client.ask('blockdev-add', { driver: 'raw', 'node-name': id, file }),
    ...client.ask('device_add', { driver: 'virtio-blk-pci', id, bus, addr: '00', drive: id }),
  ];
}
