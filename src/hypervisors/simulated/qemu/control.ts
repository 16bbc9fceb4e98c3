import { createServer, type Server, type Socket } from 'node:net';
import { stringifyExact } from '../../../api/exact-json.ts';
import type { JsonObject } from '../../../api/json.ts';
import { LineSplitter } from '../../qemu/qmp/lines.ts';
import { VirtualClock, type Clock } from './clock.ts';
import { controlRequest, type ControlRequest } from './control-request.ts';
import { holdAt, type HeldPoint } from './hold-point.ts';
import type { StartedSimulatedQemu } from './start.ts';

/** What the program rules over: VMs by the paths of their sockets. */
export interface Ruled {
  readonly clock: Clock;
  readonly vms: ReadonlyMap<string, StartedSimulatedQemu>;
}

type Tell = (message: JsonObject) => void;

/** The control socket of the program: requests as lines of JSON, an answer for each in order. */
export async function listenForControl(path: string, ruled: Ruled): Promise<Server> {
  const control = new Control(ruled);
  const server = createServer((socket) => converse(socket, control));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server;
}

function converse(socket: Socket, control: Control): void {
  const lines = new LineSplitter();
  const tell: Tell = (message) => void socket.write(`${stringifyExact(message)}\n`);
  socket.on('error', () => socket.destroy());
  // The program ends with its VMs, whoever listens here.
  socket.unref();
  socket.on('data', (chunk: Buffer) => {
    for (const line of lines.push(chunk)) tell(answer(line, control, tell));
  });
}

function answer(line: string, control: Control, tell: Tell): JsonObject {
  try {
    return { ok: true, ...control.carryOut(controlRequest.parse(JSON.parse(line)), tell) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

class Control {
  readonly #ruled: Ruled;
  readonly #held = new Map<string, HeldPoint>();

  constructor(ruled: Ruled) {
    this.#ruled = ruled;
  }

  carryOut(request: ControlRequest, tell: Tell): JsonObject {
    if (request.do === 'list') {
      return { vms: [...this.#ruled.vms].map(([name, started]) => describe(name, started)) };
    }
    if (request.do === 'advance') this.#advance(request.ms);
    else if (request.do === 'kill') process.kill(process.pid, 'SIGKILL');
    else this.#rule(request, tell);
    return {};
  }

  #rule(request: Exclude<ControlRequest, { do: 'list' | 'advance' | 'kill' }>, tell: Tell): void {
    const { vm, points, listener } = this.#vm(request.vm);
    switch (request.do) {
      case 'guest': {
        const settings = withoutUndefined(request.settings);
        if (request.device !== undefined) return vm.guest.behave(request.device, settings);
        vm.guest.settings = { ...vm.guest.settings, ...settings };
        return;
      }
      case 'boot':
        return vm.guest.boot();
      case 'reset':
        return vm.reset();
      case 'stop':
        return vm.stop();
      case 'cont':
        return vm.cont();
      case 'shut-down':
        return vm.shutDown();
      case 'remove':
        return vm.machine.letGo(request.device);
      case 'hang-up':
        return vm.machine.backEnds.chardevs.hangUp(request.path);
      case 'cut':
        return listener.cutOff();
      case 'hold': {
        const held = holdAt(points, withoutUndefined(request.at));
        this.#held.get(request.vm)?.release();
        this.#held.set(request.vm, held);
        void held.reached.then((point) => tell({ held: { vm: request.vm, ...point } }));
        return;
      }
      case 'release':
        this.#held.get(request.vm)?.release(request.drop === true ? 'drop' : 'go-on');
        this.#held.delete(request.vm);
        return;
    }
  }

  #advance(ms: number): void {
    const { clock } = this.#ruled;
    if (!(clock instanceof VirtualClock)) throw new Error('time is real here: start it with --time virtual');
    clock.advance(ms);
  }

  #vm(name: string): StartedSimulatedQemu {
    const found = this.#ruled.vms.get(name);
    if (found === undefined) throw new Error(`there is no VM behind ${name}`);
    return found;
  }
}

function describe(name: string, { vm, points }: StartedSimulatedQemu): JsonObject {
  const { status, devices, backEnds } = vm.machine;
  return {
    vm: name,
    status,
    devices: devices.map(({ id, model, evidence, leaving }) => ({ id, model, evidence, leaving })),
    backEnds: backEnds.names,
    messages: points.count,
  };
}

/** An optional member that is there without a value is none. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}
